//! `neap logs --bytes`: a part of one log, as it is. Standard output gets the bytes and nothing else.

use super::{Piece, Wanted, pieces};
use crate::api::{LogPart, MOST_PART, RunInfo, Span, log_part};
use crate::cli::error::{FINDINGS, Failure};
use crate::cli::output::Output;
use crate::exec::{LogExtent, LogPiece, LogReader};
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

pub(super) fn part(run: &RunInfo, wanted: &Wanted, span: &str, output: &Output) -> Result<ExitCode, Failure> {
    let span: Span = span.parse().map_err(|error: crate::api::BadSpan| Failure::usage(error.to_string()))?;
    let all = pieces(run, wanted);
    let [piece] = all.as_slice() else {
        let count = all.len();
        return Err(Failure::usage(format!("--bytes reads one log, and here are {count}: name a job")));
    };
    if output.json {
        let part: LogPart = log_part(run, Some(&piece.job.name), Some(piece.number), span, MOST_PART)
            .map_err(|error| Failure::new(FINDINGS, error.to_string()))?;
        output.print_json(&part)?;
        return Ok(ExitCode::SUCCESS);
    }
    match print(piece, span, output) {
        // Whoever reads may leave (`| head`).
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        printed => Ok(printed.map(|()| ExitCode::SUCCESS)?),
    }
}

fn print(piece: &Piece<'_>, span: Span, output: &Output) -> io::Result<()> {
    let reader = LogReader::open(&piece.path)?;
    let LogExtent { head, tail, end } = reader.extent()?;
    let (mut place, to) = match span {
        Span::From(from, to) => (from, to.unwrap_or(end).min(end)),
        Span::Last(most) => (end.saturating_sub(most).max(if tail > head { tail } else { 0 }), end),
    };
    let (mut block, mut out) = (vec![0; 64 * 1024], io::stdout().lock());
    while place < to {
        let most = usize::try_from(to - place).unwrap_or(usize::MAX).min(block.len());
        match reader.read_at(place, &mut block[..most])? {
            LogPiece::Bytes(0) => break,
            LogPiece::Bytes(length) => {
                out.write_all(&block[..length])?;
                place += length as u64;
            }
            LogPiece::LeftOut { to, line } => {
                output.say(line.trim_end());
                place = to;
            }
        }
    }
    out.flush()
}

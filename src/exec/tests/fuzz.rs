//! The outputs file with anything in it: it is read within its bound, without secrets, and it is gone afterwards.

use crate::exec::mask::Masks;
use crate::exec::outputs::Outputs;
use crate::fuzz::{ALLOWED, Campaign, Input, Rng, mutated, processor_time};
use std::time::Duration;

const SECRETS: [&str; 3] = ["hunter2", "two words\nand a line", "é日本"];

fn examine(folder: &std::path::Path, input: &Input) -> Result<Duration, String> {
    let path = folder.join(format!("{:?}.outputs", std::thread::current().id()));
    std::fs::write(&path, &input[0]).unwrap();
    let masks = Masks::new(SECRETS);
    let begun = processor_time();
    let mut outputs = Outputs::collect(&path, &masks);
    let took = processor_time() - begun;
    if path.exists() {
        return Err("the file is still there".into());
    }
    if let Some(secret) = SECRETS.iter().find(|secret| outputs.text.contains(**secret)) {
        return Err(format!("{secret:?} is in {:?}", outputs.text));
    }
    // A byte that is no text becomes three.
    if outputs.text.len() > 3 << 20 || (outputs.is_cut && input[0].len() <= 1 << 20) {
        return Err(format!("{} bytes, cut: {}", outputs.text.len(), outputs.is_cut));
    }
    let (values, _) = crate::definition::outputs(&outputs.text, &Default::default());
    let is_open = outputs.text.contains("<<");
    outputs.add("added", "a\nEND");
    let (more, _) = crate::definition::outputs(&outputs.text, &Default::default());
    if !is_open && values.len() < 1_000 && more.get("added") != Some(&"a\nEND".into()) {
        return Err(format!("what was added is not read: {:?}", outputs.text));
    }
    Ok(took)
}

#[test]
fn every_outputs_file_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let texts: Vec<Vec<u8>> = [
        "size=42\nnotes<<END\none\ntwo\nEND\n",
        "a=hunter2\nb=aHVudGVyMg==\n",
        "a=two words\nand a line\n",
        "x=\u{e9}日本\r\ny=\u{0}\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    let make = |rng: &mut Rng| vec![mutated(rng, &texts)];
    let examine = |input: &Input| examine(folder.path(), input);
    Campaign { name: "outputs files", everyday: 500, share: 10, allowed: ALLOWED }.run(make, examine);
}

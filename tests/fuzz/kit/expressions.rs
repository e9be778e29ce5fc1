//! Lua expressions and shell scripts that grow from what such texts are made of.

use super::Rng;

const LEAVES: [&str; 40] = [
    "params.a",
    "params.day",
    "params['a']",
    "params",
    "env.HOME",
    "env.NOPE",
    "run.id",
    "run.date",
    "task",
    "item",
    "item.x",
    "matrix.os",
    "tasks.a.outputs.size",
    "tasks['my-dump'].outcome",
    "tasks.dump.outputs",
    "outputs.x",
    "nil",
    "true",
    "false",
    "0",
    "1",
    "-1.5",
    "1e308",
    "0x1F",
    "1/0",
    "0/0",
    "2^53",
    "'a'",
    "\"b\\n\"",
    "[[long]]",
    "[==[}}]==]",
    "`on {params.a} {{1}}`",
    "{}",
    "{1, 2, 3}",
    "{a = 1, [2] = 'b'}",
    "...",
    "_G",
    "string",
    "'\\u{1F600}'",
    "'it''s'",
];

const CALLS: [&str; 30] = [
    "basename(@)",
    "contains(@, @)",
    "default(@, @)",
    "dirname(@)",
    "endswith(@, @)",
    "fromjson(@)",
    "join(@, @)",
    "json(@)",
    "raw(@)",
    "split(@, @)",
    "startswith(@, @)",
    "tostring(@)",
    "tonumber(@)",
    "#@",
    "not @",
    "-@",
    "(@)",
    "@ + @",
    "@ .. @",
    "@ == @",
    "@ and @ or @",
    "if @ then @ else @",
    "{ @, @ }",
    "{ k = @ }",
    "@[@]",
    "@.x",
    "@:upper()",
    "(function(x) return @ end)(@)",
    "string.rep(@, @)",
    "pcall(@, @)",
];

const ODD: [&str; 16] = [
    "}}",
    "${{",
    "{",
    "}",
    "`",
    "--[[ }} ]]",
    "-- x",
    "'",
    "\"",
    "[[",
    "]]",
    "end",
    "function",
    "(",
    ")",
    "\n",
];

/// An expression, mostly a right one.
pub(crate) fn expression(rng: &mut Rng) -> String {
    let mut text = grown(rng, 0);
    if rng.one_in(12) {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        text.insert_str(*rng.pick(&places), rng.word(&ODD));
    }
    text
}

fn grown(rng: &mut Rng, depth: usize) -> String {
    if depth > 4 || rng.one_in(3) {
        return rng.word(&LEAVES).to_owned();
    }
    let shape = rng.word(&CALLS);
    let mut text = String::new();
    for (index, part) in shape.split('@').enumerate() {
        if index > 0 {
            text.push_str(&grown(rng, depth + 1));
        }
        text.push_str(part);
    }
    text
}

const SHELL: [&str; 52] = [
    "echo ",
    "rm -- ",
    "\"",
    "'",
    "`",
    "$(",
    ")",
    "$((",
    "))",
    "${x:-",
    "${",
    "}",
    "$x",
    "\\",
    "\\\n",
    "\n",
    "\n",
    " ",
    " ",
    "; ",
    " && ",
    " | ",
    " > ",
    " >> ",
    " 2>&1",
    "<<EOF\n",
    "<<'EOF'\n",
    "<<-\tEOF\n",
    "\nEOF\n",
    "<<\"E F\"\n",
    "<<<",
    "eval ",
    "sh -c ",
    "ssh host ",
    "xargs -I{} ",
    "if true; then ",
    "; fi",
    "for i in ",
    "; do ",
    "; done",
    "case ",
    " in a) ",
    ";; esac",
    "# a comment\n",
    "x=",
    "export A=",
    "[[ ",
    " ]]",
    "((",
    "test ",
    "$'",
    "{ ",
];

/// A shell script with expressions at all sorts of places.
pub(crate) fn script(rng: &mut Rng) -> String {
    let count = 1 + rng.below(12);
    let mut text = String::new();
    for _ in 0..count {
        match rng.below(4) {
            0 if rng.one_in(6) => text.push_str(&format!("${{{{ raw({}) }}}}", grown(rng, 3))),
            0 => text.push_str(&format!("${{{{ {} }}}}", grown(rng, 3))),
            _ => text.push_str(rng.word(&SHELL)),
        }
    }
    text
}

//! Scripts with hostile values in them, run by the shells of this machine.

use super::{SafeScript, ScriptPart, ShellTroubleKind, is_posix_shell, safe_script};
use crate::definition::Template;
use proptest::prelude::*;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::LazyLock;

fn safe(text: &str) -> SafeScript {
    let template = Template::parse(text).unwrap();
    safe_script(&template).unwrap_or_else(|troubles| panic!("{text}: {}", troubles[0]))
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let safe = safe(text);
    let shown = |part: &ScriptPart| match part {
        ScriptPart::Text(text) => text.clone(),
        ScriptPart::Raw(index) => format!("<raw {index}>"),
    };
    let script: String = safe.script.iter().map(shown).collect();
    assert_eq!(script.replace("NEAP_", ""), expected, "{text}");
}

#[test]
fn each_place_gets_its_quotes() {
    check("echo hi", "echo hi");
    check("echo ${{ a }} ${{ b }}", r#"echo "${V1}" "${V2}""#);
    check("echo a${{ a }}b", r#"echo a"${V1}"b"#);
    check(r#"echo "a${{ a }}b""#, r#"echo "a${V1}b""#);
    check("echo 'a${{ a }}b'", r#"echo 'a'"${V1}"'b'"#);
    check(r"echo $'a${{ a }}b\n'", r#"echo $'a'"${V1}"$'b\n'"#);
    check(r"echo $'a\n${{ a }}b'", r#"echo $'a\n'"${V1}"'b'"#);
    check("echo \"$(echo ${{ a }})\"", r#"echo "$(echo "${V1}")""#);
    check("echo `echo ${{ a }}`", r#"echo `echo "${V1}"`"#);
    check("echo ${x:-${{ a }}}", r#"echo ${x:-"${V1}"}"#);
    check(r#"echo "${x:-${{ a }}}""#, r#"echo "${x:-${V1}}""#);
    check(r#"echo "${x%${{ a }}}""#, r#"echo "${x%"${V1}"}""#);
    check("echo ${{ a }} # it's ${{ b }}\necho ${{ c }}", "echo \"${V1}\" # it's \necho \"${V2}\"");
    check("echo a#${{ a }}", r#"echo a#"${V1}""#);
    check("cat <<E\n'${{ a }}'\nE\necho ${{ b }}", "cat <<E\n'${V1}'\nE\necho \"${V2}\"");
    check("cat <<-E\n\t$(x ${{ a }})\n\tE\necho ${{ b }}", "cat <<-E\n\t$(x \"${V1}\")\n\tE\necho \"${V2}\"");
    check("cat <<A <<'B'\n${{ a }}\nA\n'\nB\n${{ b }}", "cat <<A <<'B'\n${V1}\nA\n'\nB\n\"${V2}\"");
    check(
        "cat <<E\n${{ a }}E\nE${{ a }}\n E\nE\n'${{ b }}'",
        "cat <<E\n${V1}E\nE${V2}\n E\nE\n''\"${V3}\"''",
    );
    check("cat <<<${{ a }}", r#"cat <<<"${V1}""#);
    check(
        "x=$(case a in a) echo ${{ a }};; esac) y='${{ b }}'",
        r#"x=$(case a in a) echo "${V1}";; esac) y=''"${V2}"''"#,
    );
    check("case ${{ a }} in\n(${{ b }}) ;;\nesac", "case \"${V1}\" in\n(\"${V2}\") ;;\nesac");
    check("list=(a ${{ a }}) && echo \"${{ b }}\"", "list=(a \"${V1}\") && echo \"${V2}\"");
    check(
        "[[ ${{ a }} == b && 'x' < ${{ b }} ]] || echo '${{ c }}'",
        r#"[[ "${V1}" == b && 'x' < "${V2}" ]] || echo ''"${V3}"''"#,
    );
    check("diff <(cat ${{ a }}) '${{ b }}'", r#"diff <(cat "${V1}") ''"${V2}"''"#);
    check("sh -c 'echo \"$1\"' _ ${{ a }}", r#"sh -c 'echo "$1"' _ "${V1}""#);
    check("bash script.sh -c ${{ a }}", r#"bash script.sh -c "${V1}""#);
    check("ssh -p 22 ${{ host }} uptime", r#"ssh -p 22 "${V1}" uptime"#);
    check("printf -v x ${{ a }}; export HOME=${{ b }} x", r#"printf -v x "${V1}"; export HOME="${V2}" x"#);
    check("[ ${{ a }} -eq 1 ]", r#"[ "${V1}" -eq 1 ]"#);
    check("echo $((1 + (2))) ${{ a }}", r#"echo $((1 + (2))) "${V1}""#);
    check("echo $((cd /; ls) | wc) '${{ a }}'", r#"echo $((cd /; ls) | wc) ''"${V1}"''"#);
}

#[test]
fn what_stands_before_an_expression_does_not_change_it() {
    check("echo $${{ a }}", r#"echo \$"${V1}""#);
    check(r#"echo "$${{ a }}""#, r#"echo "\$${V1}""#);
    check("echo $$${{ a }}", r#"echo $$"${V1}""#);
    check(r"echo \${{ a }}", r#"echo "${V1}""#);
    check(r#"echo "C:\${{ a }}""#, r#"echo "C:\\${V1}""#);
    check(r"echo \\${{ a }}", r#"echo \\"${V1}""#);
    check("echo $x${{ a }} $", r#"echo $x"${V1}" $"#);
}

#[test]
fn raw_values_are_the_only_ones_in_the_text() {
    check("${{ raw(cmd) }} ${{ a }} # ${{ raw(x) }}", r#"<raw 0> "${V1}" # "#);
    let safe = safe("${{ raw(a) }} ${{ b }}");
    let values = ["ls; date".into(), 7.0.into()];
    assert_eq!(safe.fill(&values), r#"ls; date "${NEAP_V1}""#);
    assert_eq!(safe.environment(&values), [("NEAP_V1".to_owned(), "7".to_owned())]);
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let template = Template::parse(text).unwrap();
    let troubles = safe_script(&template).expect_err(text);
    let word = |kind: &ShellTroubleKind| match kind {
        ShellTroubleKind::QuotedHeredoc { delimiter } => format!("heredoc {delimiter}"),
        ShellTroubleKind::Arithmetic => "arithmetic".to_owned(),
        ShellTroubleKind::Evaluated { by } => by.clone(),
        ShellTroubleKind::Name => "name".to_owned(),
        ShellTroubleKind::Deep => "deep".to_owned(),
    };
    let shown: Vec<String> = troubles
        .iter()
        .map(|trouble| format!("{} {}", &text[trouble.at.clone()], word(&trouble.kind)))
        .collect();
    assert_eq!(shown.join(", "), expected, "{text}");
}

#[test]
fn places_where_a_value_would_be_code_are_refused() {
    refused(&format!("echo ${{{{ a }}}} {}", "$(".repeat(300)), "${{ a }} deep");
    refused("cat <<'EOF'\n${{ a }}\nEOF", "${{ a }} heredoc EOF");
    refused("cat <<\\EOF\n${{ a }}\nEOF", "${{ a }} heredoc EOF");
    refused("cat <<${{ a }}\nx", "${{ a }} name");
    refused("echo ${${{ a }}}", "${{ a }} name");
    refused("echo $((${{ a }} + 1)) ${{ b }}", "${{ a }} arithmetic");
    refused("echo $((1 + $(cat ${{ a }})))", "${{ a }} arithmetic");
    refused("((x = ${{ a }}))", "${{ a }} arithmetic");
    refused("for ((i = 0; i < ${{ a }}; i++)); do :; done", "${{ a }} arithmetic");
    refused("echo $[${{ a }} + 1]", "${{ a }} arithmetic");
    refused("echo ${x:${{ a }}} ${x[${{ b }}]:-1}", "${{ a }} arithmetic, ${{ b }} arithmetic");
    refused("list[${{ a }}]=1", "${{ a }} arithmetic");
    refused(
        "if [[ ${{ a }} -eq 1 && x -lt ${{ b }} ]]; then :; fi",
        "${{ a }} arithmetic, ${{ b }} arithmetic",
    );
    refused("let x=${{ a }}", "${{ a }} arithmetic");
    refused("declare -i x=${{ a }}", "${{ a }} arithmetic");
    refused("[ -v ${{ a }} ]", "${{ a }} arithmetic");
    refused("eval echo ${{ a }}", "${{ a }} eval");
    refused("x=1 eval \"echo $(cat '${{ a }}')\"", "${{ a }} eval");
    refused("if true; then\n  { eval ${{ a }}; }\nfi", "${{ a }} eval");
    refused("f() { eval ${{ a }}; }", "${{ a }} eval");
    refused("e\\v'al' ${{ a }}", "${{ a }} eval");
    refused("sh -c \"ls ${{ a }}\"", "${{ a }} sh -c");
    refused("sudo -u x /bin/bash -o pipefail -ec 'ls ${{ a }}' ${{ b }}", "${{ a }} bash -c");
    refused("find . -exec sh -c 'echo ${{ a }}' \\;", "${{ a }} sh -c");
    refused("python3 -c \"print('${{ a }}')\"", "${{ a }} python3 -c");
    refused("ssh -p 22 host ls ${{ a }}", "${{ a }} ssh");
    refused("source ${{ a }}; . ${{ b }}", "${{ a }} source, ${{ b }} .");
    refused("trap 'rm ${{ a }}' EXIT", "${{ a }} trap");
    refused("declare ${{ a }}=1; read ${{ b }}", "${{ a }} declare, ${{ b }} read");
    refused("printf -v ${{ a }} x", "${{ a }} printf -v");
    refused("bash -s <<EOF\nls ${{ a }}\nEOF", "${{ a }} bash");
    refused("cat <<EOF | ssh host\nls ${{ a }}\nEOF", "${{ a }} ssh");
    refused("echo ${{ a }} | sh", "${{ a }} sh");
    refused("x=$(eval ${{ a }})", "${{ a }} eval");
    refused("case x in x) eval ${{ a }};; esac", "${{ a }} eval");
}

#[test]
fn programs_that_start_others_are_followed() {
    for wrapper in [
        "timeout 5",
        "nice -n 5",
        "nohup",
        "setsid",
        "sudo -u x",
        "doas",
        "env A=b",
        "stdbuf -oL",
        "time",
        "xargs -n1",
        "docker exec -i c",
        "find . -exec",
        "chroot /x",
        "systemd-run --user",
        "exec",
        "command",
    ] {
        refused(&format!("{wrapper} sh -c \"echo ${{{{ a }}}}\""), "${{ a }} sh -c");
    }
    refused("su root -c \"echo ${{ a }}\"", "${{ a }} su -c");
    refused("su - root -c 'echo ${{ a }}'", "${{ a }} su -c");
    refused("su root --command=\"echo ${{ a }}\"", "${{ a }} su --command");
    refused("runuser -u x -c \"echo ${{ a }}\"", "${{ a }} runuser -c");
    refused("flock F -c \"echo ${{ a }}\"", "${{ a }} flock -c");
    refused("script -qec \"echo ${{ a }}\" /dev/null", "${{ a }} script -c");
    refused("env -S \"echo ${{ a }}\"", "${{ a }} env -S");
    refused("watch -n 1 ls ${{ a }}", "${{ a }} watch");
    refused("parallel \"echo ${{ a }} {}\" ::: 1", "${{ a }} parallel");
    refused("git -c alias.x=\"!echo ${{ a }}\" x", "${{ a }} git -c");
    refused("git -c ${{ a }} x", "${{ a }} git -c");
    refused("git submodule foreach \"echo ${{ a }}\"", "${{ a }} git submodule foreach");
    refused("rsync -e \"ssh -p ${{ a }}\" x y", "${{ a }} rsync -e");
    refused("ssh -o \"ProxyCommand=nc ${{ a }}\" host", "${{ a }} ssh");
}

#[test]
fn interpreters_and_what_they_read_are_known() {
    for program in ["python", "python3.11", "pypy3", "fish", "expect"] {
        refused(&format!("{program} -c \"x ${{{{ a }}}}\""), &format!("${{{{ a }}}} {program} -c"));
    }
    for program in ["perl", "ruby", "node", "lua5.4", "Rscript", "julia"] {
        refused(&format!("{program} -e \"x ${{{{ a }}}}\""), &format!("${{{{ a }}}} {program} -e"));
    }
    refused("perl -ne 'a' -e \"x ${{ a }}\" ${{ b }}", "${{ a }} perl -e");
    refused("php -d a=b -r \"x ${{ a }}\"", "${{ a }} php -r");
    refused("node --eval=\"x ${{ a }}\"", "${{ a }} node --eval");
    refused("awk \"{ print ${{ a }} }\" f", "${{ a }} awk");
    refused("awk -F , -v x=1 ${{ a }} ${{ b }}", "${{ a }} awk");
    refused("sed -i \"s/a/${{ a }}/\" f", "${{ a }} sed");
    refused("sed -e 's/a/${{ a }}/' ${{ b }}", "${{ a }} sed -e");
    refused("python3 - <<EOF\nprint(${{ a }})\nEOF", "${{ a }} python3");
    refused("python3 - x <<EOF\nprint(${{ a }})\nEOF", "${{ a }} python3");
    refused("perl <<EOF\n${{ a }}\nEOF", "${{ a }} perl");
    refused("su x <<EOF\n${{ a }}\nEOF", "${{ a }} su");
    refused("at now <<EOF\n${{ a }}\nEOF", "${{ a }} at");
    refused("bash -s -- x <<EOF\n${{ a }}\nEOF", "${{ a }} bash");
    refused("bash <<<\"echo ${{ a }}\"", "${{ a }} bash");
    refused("bash < <(echo ${{ a }})", "${{ a }} bash");
    refused("bash <(echo ${{ a }})", "${{ a }} bash");
    refused("echo ${{ a }} | python3", "${{ a }} python3");
    refused("echo ${{ a }} | xargs sh -c", "${{ a }} xargs");
    refused("echo ${{ a }} | xargs -I{} sh -c 'echo {}'", "${{ a }} xargs");
    refused("alias x=\"echo ${{ a }}\"", "${{ a }} alias");
}

#[test]
fn a_variable_that_holds_a_value_is_a_value() {
    refused("X=\"echo ${{ a }}\"; eval \"$X\"", "${{ a }} eval");
    refused("X=${{ a }}\nY=\"echo ${X}\"\nsh -c \"$Y\"", "${{ a }} sh -c");
    refused("export X=${{ a }} && ssh host ls $X", "${{ a }} ssh");
    refused("for f in ${{ a }}; do eval \"echo $f\"; done", "${{ a }} eval");
    refused("set -- ${{ a }}; eval \"$1\"", "${{ a }} eval");
    refused("X=$(cat ${{ a }}); python3 -c \"$X\"", "${{ a }} python3 -c");
    refused("N=${{ a }}; echo $((N + 1))", "${{ a }} arithmetic");
    refused("N=${{ a }}; [[ $N -gt 1 ]]", "${{ a }} arithmetic");
    refused("X=${{ a }}\nsh <<EOF\necho $X\nEOF", "${{ a }} sh");
    check("X=${{ a }}; echo \"$X\" ${X}", r#"X="${V1}"; echo "$X" ${X}"#);
    check("X=${{ a }}; sh -c 'echo \"$X\"'", r#"X="${V1}"; sh -c 'echo "$X"'"#);
    check("Y=1; eval \"$Y\"; X=${{ a }}", r#"Y=1; eval "$Y"; X="${V1}""#);
}

/// Whoever writes such things is refused for less than all of it, but refused.
#[test]
fn what_would_be_followed_without_end_is_cut_short() {
    let holes = "${{ x }}".repeat(20);
    refused(&format!("a=\"{holes}\"; eval $a"), &["${{ x }} eval"; 8].join(", "));
    refused(&format!("a=${{{{ x }}}}\n{}eval $a", "a=$a$a\n".repeat(60)), "${{ x }} eval");
    refused("a=${{ x }}; a=$a${{ y }}; eval $a", "${{ x }} eval, ${{ y }} eval");
    let wrapped = |count: usize| format!("{}echo ${{{{ x }}}}", "env ".repeat(count));
    check(&wrapped(20), &wrapped(20).replace("${{ x }}", r#""${V1}""#));
    refused(&wrapped(21), "${{ x }} env");
    refused(&format!("echo ${{{{ x }}}} | {} true", "xargs ".repeat(21)), "${{ x }} xargs");
}

#[test]
fn words_that_are_no_code_are_let_pass() {
    for text in [
        "flock F tar -c ${{ a }}",
        "awk -v x=${{ a }} '{ print x }' f",
        "awk -f p.awk ${{ a }}",
        "sed --sandbox -e \"s/a/${{ a }}/\" f",
        "sed -n 5p ${{ a }}",
        "git -c user.name=${{ a }} commit -m ${{ b }}",
        "python3 tool.py -c ${{ a }}",
        "python3 -m tool -c ${{ a }}",
        "perl -ne print ${{ a }}",
        "env A=${{ a }} make",
        "su root -c 'make' ${{ a }}",
        "echo ${{ a }} | xargs -n1 make",
        "echo ${{ a }} | xargs sh -c 'echo \"$1\"' sh",
        "cat <<EOF | python3 tool.py\n${{ a }}\nEOF",
        "timeout 5 make ${{ a }}",
        "make -e ${{ a }}",
        "bash script.sh <<<${{ a }}",
    ] {
        safe(text);
    }
}

#[test]
fn words_of_a_program_without_a_shell_are_known_as_well() {
    #[track_caller]
    fn check(argv: &[&str], expected: &str) {
        let argv: Vec<Template> = argv.iter().map(|word| Template::parse(word).unwrap()).collect();
        let found = super::code_in_argv(&argv).into_iter();
        let found: Vec<String> =
            found.map(|code| format!("{}.{} {}", code.word, code.expression, code.by)).collect();
        assert_eq!(found.join(", "), expected);
    }
    check(&["sh", "-c", "echo ${{ a }} ${{ b }}"], "2.0 sh -c, 2.1 sh -c");
    check(&["sh", "-c", "echo \"$1\"", "sh", "${{ a }}"], "");
    check(&["env", "A=b", "bash", "-ec", "${{ a }}"], "4.0 bash -c");
    check(&["sudo", "-u", "x", "sh", "-c", "${{ a }}"], "5.0 sh -c");
    check(&["su", "-c", "${{ a }}", "x"], "2.0 su -c");
    check(&["ssh", "host", "ls ${{ a }}"], "2.0 ssh");
    check(&["python3", "-c", "print(${{ a }})", "${{ b }}"], "2.0 python3 -c");
    check(&["node", "-e", "f(${{ a }})"], "2.0 node -e");
    check(&["eval", "${{ a }}"], "");
    check(&["${{ a }}", "${{ b }}"], "");
}

#[test]
fn shells_are_known_by_their_names() {
    let is =
        |words: &[&str]| is_posix_shell(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    assert!(
        is(&["sh", "-eu"])
            && is(&["/usr/bin/bash"])
            && is(&["/usr/bin/env", "zsh"])
            && is(&["busybox", "sh"])
    );
    assert!(!is(&["python3"]) && !is(&["fish"]) && !is(&[]) && !is(&["/sh/"]));
}

/// Values that mean harm. `@` is the path of a file that none of them may bring about.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "\t",
    "\n",
    "\n\n",
    "a b",
    " a ",
    "a\nb",
    "trailing\n",
    "\r\n",
    "a\r\nb",
    "\\",
    "\\\\",
    "\\n",
    "a\\",
    "'",
    "\"",
    "`",
    "'\"'\"'",
    "\"'\"'\"",
    "''",
    "\"\"",
    "$",
    "$$",
    "$x",
    "${x}",
    "$(touch @)",
    "`touch @`",
    "${x:-$(touch @)}",
    "$((1+1))",
    "a[$(touch @)]",
    "x[$(touch @)]=1",
    ";touch @",
    "; touch @ #",
    "&& touch @",
    "|| touch @",
    "| touch @",
    "& touch @ &",
    "\ntouch @\n",
    "\r\ntouch @\r\n",
    "';touch @;'",
    "\";touch @;\"",
    "'$(touch @)'",
    "\"$(touch @)\"",
    "`'`touch @`'`",
    ")touch @;(",
    "}touch @;{",
    "$(touch @",
    "`touch @",
    "EOF\ntouch @\nEOF\n",
    "\nEOF\ntouch @\n",
    "esac;touch @",
    ";;touch @;;",
    ">@",
    "> @",
    "<@",
    ">>@",
    "2>@",
    "<(touch @)",
    "-n",
    "-e",
    "--",
    "-",
    "--help",
    "-rf",
    "*",
    "?",
    "[a-z]",
    "{a,b}",
    "~",
    "~root",
    "!",
    "!!",
    "#",
    "# a",
    "%s",
    "%n%n",
    "\\0",
    "\\x41",
    "=",
    "a=b",
    "IFS=x",
    "NEAP_V1",
    "${NEAP_V1}",
    "$NEAP_V1",
    "ä ö ☃ 𝄞",
    "\u{202e}",
    "\u{7f}\u{1b}[31m",
    "\u{a0}",
    "true",
    "(",
    ")",
    "((",
    "[[",
    "&",
    "|",
    "<<EOF",
    "<<<x",
    "$'\\x27'",
];

fn values(canary: &Path) -> Vec<Value> {
    let canary = canary.to_str().unwrap();
    let mut values: Vec<Value> = HOSTILE.iter().map(|value| value.replace('@', canary).into()).collect();
    values.push("$(:) '\"` ".repeat(10_000).into());
    values
}

fn run(shell: &str, script: &str, environment: &[(String, String)], folder: &Path) -> Output {
    let mut command = Command::new(shell);
    command.args(["-eu", "-c", script]).envs(environment.iter().cloned()).current_dir(folder);
    command.output().unwrap_or_else(|error| panic!("{shell}: {error}"))
}

/// The shells of this machine. Not ksh, for which `${x:-""}` is no word at all.
static SHELLS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let is_there =
        |shell: &&str| Command::new(shell).args(["-c", ":"]).status().is_ok_and(|status| status.success());
    ["sh", "dash", "bash", "ash", "zsh"].into_iter().filter(is_there).collect()
});

/// Shows how many words there are, and each of them.
const SHOW: &str = "show() { printf '%s\\0' \"$#\" \"$@\"; }\nunset x\n";

/// Each snippet, and the words it shows: `@` is the value. The last column names the shells that know such a thing.
const SNIPPETS: &[(&str, &[&str], &str)] = &[
    ("show ${{ v }}", &["@"], ""),
    ("show a${{ v }}b ${{ v }}", &["a@b", "@"], ""),
    ("show \"${{ v }}\"", &["@"], ""),
    ("show \"a ${{ v }} b\"", &["a @ b"], ""),
    ("show '${{ v }}'", &["@"], ""),
    ("show 'a  ${{ v }}${{ v }} \"'c", &["a  @@ \"c"], ""),
    ("show \"'${{ v }}'\" '\"'${{ v }}'\"'", &["'@'", "\"@\""], ""),
    ("show $${{ v }} \"$${{ v }}\" '$${{ v }}'", &["$@", "$@", "$@"], ""),
    ("show \\${{ v }} \"\\${{ v }}\" \\\\${{ v }}", &["@", "\\@", "\\@"], ""),
    ("show \"$(printf '%s.' ${{ v }})\"", &["@."], ""),
    ("show \"$(printf '%s.' \"${{ v }}\" '${{ v }}')\"", &["@.@."], ""),
    ("show \"`printf '%s.' ${{ v }}`\"", &["@."], ""),
    ("show \"`printf '%s.' 'a${{ v }}'`\"", &["a@."], ""),
    ("show ${x:-${{ v }}} \"${x:-${{ v }}}\" \"${x-a${{ v }}}\"", &["@", "@", "a@"], ""),
    ("y=a${{ v }}; show \"${y%${{ v }}}\" \"${y#a}\"", &["a", "@"], ""),
    ("y=${{ v }}; show \"$y\"", &["@"], ""),
    ("y=${{ v }} show \"$(y=${{ v }} sh -c 'printf %s. \"$y\"')\"", &["@."], ""),
    ("show \"$(cat <<EOF\n[${{ v }}]\nEOF\n)\"", &["[@]"], ""),
    (
        "show \"$(cat <<-EOF\n\t['${{ v }}' \"${{ v }}\" `printf '%s.' ${{ v }}`]\n\tEOF\n)\"",
        &["['@' \"@\" @.]"],
        "",
    ),
    ("cat >/dev/null <<'EOF'\nit's\nEOF\nshow '${{ v }}'", &["@"], ""),
    ("# it's ${{ v }}\nshow ${{ v }} # \"${{ v }}", &["@"], ""),
    ("case a${{ v }} in a${{ v }}) show ${{ v }};; *) show wrong;; esac", &["@"], ""),
    ("show \"$(case x in (x) printf '%s.' ${{ v }};; esac)\" '${{ v }}'", &["@.", "@"], ""),
    ("for i in ${{ v }} '${{ v }}'; do show \"$i\"; done", &["@", "1", "@"], ""),
    ("if [ ${{ v }} = \"${{ v }}\" ]; then (show ${{ v }}); fi", &["@"], ""),
    ("f() { show \"$1\" ${{ v }}; }\nf ${{ v }}", &["@", "@"], ""),
    ("{ show ${{ v }} && :; } | cat", &["@"], ""),
    ("sh -c 'printf \"1\\0%s\\0\" \"$1\"' _ ${{ v }}", &["@"], ""),
    ("show $'a\\t${{ v }}\\x41' $'${{ v }}'", &["a\t@A", "@"], "bash zsh"),
    ("list=(1 ${{ v }} '${{ v }}'); show \"${list[@]}\"", &["1", "@", "@"], "bash zsh ksh"),
    (
        "if [[ a${{ v }} == 'a${{ v }}' && ! x == y${{ v }} ]]; then show '${{ v }}'; fi",
        &["@"],
        "bash zsh ksh",
    ),
    ("show \"$(cat <<<a${{ v }}.)\"", &["a@."], "bash zsh ksh"),
    ("show \"$(cat <(printf '%s.' ${{ v }}))\" '${{ v }}'", &["@.", "@"], "bash zsh ksh"),
];

#[test]
fn every_hostile_value_arrives_byte_by_byte() {
    let folder = tempfile::tempdir().unwrap();
    let canary = folder.path().join("canary");
    let values = values(&canary);
    assert!(values.len() > 60);
    let mut wrong = Vec::new();
    for (snippet, words, only) in SNIPPETS {
        let holes = snippet.matches("${{").count();
        let all: Vec<Value> = values.iter().flat_map(|value| vec![value.clone(); holes]).collect();
        let safe = safe(&format!("{snippet}\n").repeat(values.len()));
        let script = format!("{SHOW}{}", safe.fill(&[]));
        let environment: Vec<_> = safe.environment(&all);
        for shell in
            SHELLS.iter().filter(|shell| only.is_empty() || only.split(' ').any(|only| only == **shell))
        {
            let output = run(shell, &script, &environment, folder.path());
            let expected = values.iter().flat_map(|value| expected(words, value.as_str().unwrap()));
            let expected: Vec<String> = expected.collect();
            let shown = String::from_utf8_lossy(&output.stdout);
            let found: Vec<&str> = shown.split_terminator('\0').collect();
            if let Some(at) = (0..expected.len().max(found.len()))
                .find(|&at| expected.get(at).map(String::as_str) != found.get(at).copied())
            {
                let stderr: String = String::from_utf8_lossy(&output.stderr).chars().take(300).collect();
                let cut = |text: Option<&str>| text.map(|text| text.chars().take(80).collect::<String>());
                wrong.push(format!(
                    "{shell}: {snippet}: expected {:?}, found {:?} {stderr}",
                    cut(expected.get(at).map(String::as_str)),
                    cut(found.get(at).copied())
                ));
            }
            assert!(!canary.exists(), "{shell}: {snippet} ran a value");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn expected(words: &[&str], value: &str) -> Vec<String> {
    let filled = words.iter().map(|word| word.replace('@', value));
    let counts = words.contains(&"1") && words.len() == 3 && words[1] == "1";
    let count = if counts { "1".to_owned() } else { words.len().to_string() };
    std::iter::once(count).chain(filled).collect()
}

#[test]
fn the_canary_can_sing() {
    let folder = tempfile::tempdir().unwrap();
    let canary = folder.path().join("canary");
    let template = Template::parse("echo ${{ raw(v) }}").unwrap();
    let script = safe_script(&template).unwrap().fill(&[format!("$(touch {})", canary.display()).into()]);
    run("sh", &script, &[], folder.path());
    assert!(canary.exists());
}

/// A word with holes and what it is, `@` for each value.
fn word() -> impl Strategy<Value = (String, String)> {
    let leaf = prop_oneof![
        Just(("${{ v }}".to_owned(), "@".to_owned())),
        "[a-z]{1,3}".prop_map(|text| (text.clone(), text)),
        Just(("'it\"s ${{ v }}$x'".to_owned(), "it\"s @$x".to_owned())),
        Just(("\"a'b ${{ v }}\"".to_owned(), "a'b @".to_owned())),
        Just(("\\'\\\"".to_owned(), "'\"".to_owned())),
        Just(("\"${x:-${{ v }}}\"".to_owned(), "@".to_owned())),
    ];
    leaf.prop_recursive(4, 16, 3, |word| {
        prop_oneof![
            proptest::collection::vec(word.clone(), 1..4).prop_map(|words| (
                words.iter().map(|word| &*word.0).collect(),
                words.iter().map(|word| &*word.1).collect()
            )),
            word.clone().prop_map(|(text, is)| (format!("\"$(printf '%s.' {text})\""), format!("{is}."))),
            word.clone().prop_map(|(text, is)| (format!("${{x:-{text}}}"), is)),
            word.prop_map(|(text, is)| (
                format!("\"$(case a in (a) printf '%s.' {text};; esac # it's ${{{{ v }}}}\n)\""),
                format!("{is}.")
            )),
        ]
    })
}

/// A statement that shows words, and which.
fn statement() -> impl Strategy<Value = (String, Vec<String>)> {
    let show = proptest::collection::vec(word(), 1..3).prop_map(|words| {
        let text: Vec<&str> = words.iter().map(|word| word.0.as_str()).collect();
        (format!("show {}", text.join(" ")), words.into_iter().map(|word| word.1).collect())
    });
    show.prop_recursive(3, 8, 2, |statement| {
        prop_oneof![
            statement.clone().prop_map(|(text, words)| (format!("if true; then\n{text}\nfi # can't"), words)),
            statement.clone().prop_map(|(text, words)| (format!("( {text}\n)"), words)),
            statement.clone().prop_map(|(text, words)| (format!("{{ {text}\n}} | cat"), words)),
            statement.clone().prop_map(|(text, words)| (format!("f() {{\n{text}\n}}; f"), words)),
            statement
                .clone()
                .prop_map(|(text, words)| (format!("case ${{{{ v }}}} in '') ;; esac; {text}"), words)),
            (statement, word()).prop_map(|((text, words), (other, _))| {
                (format!("cat >/dev/null <<E\n'${{{{ v }}}} $(show {other})\nE\n{text}"), words)
            }),
        ]
    })
}

/// A value made of what shells find interesting.
fn value() -> impl Strategy<Value = String> {
    let part = prop_oneof![proptest::sample::select(HOSTILE), Just("touch @"), Just(";"), Just("\n")];
    proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_becomes_code_in_any_script((text, words) in statement(), value in value()) {
        let folder = tempfile::tempdir().unwrap();
        let canary = folder.path().join("canary");
        let value = value.replace('@', canary.to_str().unwrap());
        let template = Template::parse(&text).unwrap();
        let safe = safe_script(&template).unwrap();
        let values = vec![Value::from(value.clone()); template.expressions().count()];
        let script = format!("{SHOW}{}", safe.fill(&values));
        let expected: Vec<String> = std::iter::once(words.len().to_string())
            .chain(words.iter().map(|word| word.replace('@', &value))).collect();
        for shell in SHELLS.iter().filter(|shell| ["sh", "bash"].contains(shell)) {
            let output = run(shell, &script, &safe.environment(&values), folder.path());
            prop_assert!(!canary.exists(), "{}: {}", shell, script);
            let shown = String::from_utf8_lossy(&output.stdout);
            let found: Vec<&str> = shown.split_terminator('\0').collect();
            prop_assert_eq!(&found, &expected, "{}: {}\n{}", shell, script, String::from_utf8_lossy(&output.stderr));
        }
    }

    #[test]
    fn any_text_is_walked_to_its_end(text in "([$]\\{\\{ v \\}\\}|<<-?'?E|\nE\n|case x in|esac|eval |[$]\\(\\(|[$][{(\\[']|[`'\"\\\\(){}#;&|<> \na\t\\[\\]ä:%]){0,40}") {
        if let Ok(template) = Template::parse(&text) {
            match safe_script(&template) {
                Ok(safe) => prop_assert!(safe.variables.len() <= template.expressions().count()),
                Err(troubles) => prop_assert!(!troubles.is_empty()),
            }
        }
    }
}

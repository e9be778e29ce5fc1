//! Schedules for cron and systemd.

use neap::definition::{Catalog, Registered, Settings, Source};
use neap::exchange::{export_crontab, export_systemd};
use neap::schedule::Zone;

fn catalog() -> Catalog {
    let sources = [
        ("beat", "schedule: { every: 5m }\nrun: ls\n"),
        ("late", "schedule: [{ every: 7m }, \"0 0 15W * *\", \"10 0 0 * * *\"]\nrun: ls\n"),
        (
            "nightly",
            "description: Save 100% of it\nparams: { to: here, n: 1 }\nschedule:\n\
             \x20 - { cron: \"13 3 * * *\", timezone: Europe/Berlin, params: { to: \"50% $x\" } }\n\
             \x20 - { cron: \"@weekly\", enabled: false }\n\
             \x20 - { at: \"2030-01-01 12:00\" }\nrun: ls\n",
        ),
        ("ops/either", "schedule: 0 9 13 * fri\nrun: ls\n"),
        ("quiet", "run: ls\n"),
    ];
    let sources = sources.map(|(name, text)| Source::new(format!("tasks/{name}.yaml"), text));
    let catalog = Catalog::load(sources, &Registered::default(), &Settings::new(Zone::utc()), None);
    assert_eq!(catalog.problems(), []);
    catalog
}

#[test]
fn a_crontab_has_a_line_for_each_schedule() {
    let expected = "\
# Schedules of neap for cron. Cron starts a command even when its last run still goes on,
# and mails its output; CRON_TZ is understood by cronie.

# beat
CRON_TZ=UTC
*/5 * * * *  cd '/srv/my project' && /usr/bin/neap run beat

# late
# not exported: every 7m — cron counts from the full hour or day, and this interval does not fit into one
# not exported: 0 0 15W * * — cron knows none of L, W, #, ? and +
# not exported: 10 0 0 * * * — cron has neither seconds nor years

# nightly: Save 100% of it
CRON_TZ=Europe/Berlin
13 3 * * *  cd '/srv/my project' && /usr/bin/neap run nightly 'to=50\\% $x'
CRON_TZ=UTC
# switched off: @weekly  cd '/srv/my project' && /usr/bin/neap run nightly
# not exported: at 2030-01-01T12:00:00Z — cron has no single moments; see at(1)

# ops/either
0 9 13 * fri  cd '/srv/my project' && /usr/bin/neap run ops/either
";
    let exported = export_crontab(catalog().tasks(), "/srv/my project", "/usr/bin/neap");
    assert_eq!(exported.text, expected);
}

/// What was exported is imported again: the same times.
#[test]
fn a_crontab_comes_back() {
    let exported = export_crontab(catalog().tasks(), "/srv", "/usr/bin/neap");
    let imported = neap::exchange::crontab(&exported.text, &super::options("x"));
    let times: Vec<&str> = imported.files.iter().map(|file| file.schedules[0].expression.as_str()).collect();
    assert_eq!(times, ["*/5 * * * *", "13 3 * * *", "0 9 13 * fri"]);
    assert!(imported.files[1].text.contains("run: cd /srv && /usr/bin/neap run nightly 'to=50% $x'\n"));
}

#[test]
fn units_of_systemd_say_the_same_times() {
    let files = export_systemd(catalog().tasks(), "/srv/my 100%", "/usr/bin/neap");
    let text = |name: &str| &files.iter().find(|file| file.name == name).unwrap().text;
    assert_eq!(
        text("neap-nightly.service"),
        "[Unit]\nDescription=Save 100%% of it (neap run nightly)\n\n[Service]\nType=oneshot\n\
         WorkingDirectory=/srv/my 100%%\nExecStart=/usr/bin/neap run nightly \"to=50%% $$x\"\n"
    );
    let timer = text("neap-nightly-2.timer");
    assert!(timer.contains("# switched off: OnCalendar=Sun *-*-* 0:00:00 UTC\n"), "{timer}");
    assert!(timer.contains("OnCalendar=2030-01-01 12:00 UTC\n"), "{timer}");
    assert!(
        timer.ends_with("AccuracySec=1s\nUnit=neap-nightly-2.service\n\n[Install]\nWantedBy=timers.target\n")
    );
    assert!(text("neap-nightly.timer").contains("OnCalendar=*-*-* 3:13:00 Europe/Berlin\n"));
    assert!(text("neap-beat.timer").contains("OnCalendar=*-*-* *:0/5:00 UTC\n"));
    let either = text("neap-ops-either.timer");
    assert!(either.contains("OnCalendar=*-*-13 9:00:00 UTC\nOnCalendar=Fri *-*-* 9:00:00 UTC\n"), "{either}");
    let late = text("neap-late.timer");
    assert!(
        late.contains("# not exported: 0 0 15W * * — systemd does not know the nearest weekday (W)\n"),
        "{late}"
    );
    assert!(late.contains("OnUnitActiveSec=7m\n"), "{late}");
    assert!(!files.iter().any(|file| file.name.contains("quiet")));
}

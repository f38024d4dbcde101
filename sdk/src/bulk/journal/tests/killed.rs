//! Properties of the journal of a killed process, tested with such a process.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use super::*;

/// Makes the test below the process to be killed. Its value is the path of the journal.
const VICTIM: &str = "WEBFLOW_CMS_JOURNAL_OF_VICTIM";
const NAME: &str =
    "bulk::journal::tests::killed::records_that_a_killed_process_has_written_are_kept";

/// Sends and updates items without end, from the first new one, and prints each that is recorded.
fn run(path: &str) {
    let mut journal = open(Path::new(path));
    let start = (0..).find(|index| !journal.past.knows(item(*index).fingerprint));
    for index in start.unwrap_or(0).. {
        journal.sent(&items([index])).expect("a record");
        println!("\nsent {index}");
        journal
            .finished(&[(item(index), RecordedStatus::Updated)])
            .expect("a record");
        println!("\nrecorded {index}");
        std::io::stdout().flush().expect("a reader");
    }
}

fn victim(path: &Path) -> Child {
    Command::new(env::current_exe().expect("this program"))
        .args(["--exact", NAME, "--nocapture"])
        .env(VICTIM, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process")
}

#[test]
fn records_that_a_killed_process_has_written_are_kept() {
    if let Ok(path) = env::var(VICTIM) {
        return run(&path);
    }
    let (_directory, path) = place();
    fs::write(&path, "").expect("a file");
    for round in 1..=10 {
        let mut victim = victim(&path);
        let stdout = victim.stdout.take().expect("its words");
        let mut words = BufReader::new(stdout).lines().map_while(Result::ok);
        let number = |word: &String| word.strip_prefix("recorded ")?.parse::<u64>().ok();
        let mut last = words.find_map(|word| number(&word)).expect("a record");

        let error = Journal::open(&path, &parameters()).expect_err("it is in use");
        assert_eq!(error.kind(), &JournalErrorKind::InUse);

        last = words
            .by_ref()
            .take(round * 7)
            .filter_map(|word| number(&word))
            .last()
            .unwrap_or(last);
        victim.kill().expect("it runs");
        victim.wait().expect("it has ended");
        last = words
            .filter_map(|word| number(&word))
            .last()
            .unwrap_or(last);

        let mut journal = open(&path);
        let known = recorded(&mut journal.past, last + 2);
        let printed = known.iter().take(last as usize + 1);
        let unknown = printed
            .filter(|known| **known != Some(Kind::Updated))
            .count();
        assert!(
            unknown < round,
            "{unknown} items are unknown after {round} kills"
        );
        assert_eq!(known[last as usize], Some(Kind::Updated));
    }
}

//! Runs examples as processes, as their users do.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// The exit code and the output of a process.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Standard output, then standard error.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.said().contains(text), "{text:?} is not in {self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn ends_with(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.said().contains("panicked"), "{self:#?}");
        self
    }

    /// The content of the reference server was compared with the report, and agrees.
    #[track_caller]
    pub(crate) fn agrees(&self) -> &Self {
        self.says("the reference server agrees with this report")
    }
}

/// A folder in which an example runs.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("written");
    }

    /// A file of so many good rows, from the first of them on.
    pub(crate) fn write_rows(&self, name: &str, rows: std::ops::Range<u64>) {
        self.write(name, rows.map(row).collect::<String>());
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The names of all files, in order.
    pub(crate) fn files(&self) -> Vec<String> {
        let found = fs::read_dir(self.0.path()).expect("a folder");
        let mut names: Vec<_> = found
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The example `bulk_update` with these arguments, in this folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.example("bulk_update");
        command.args(arguments);
        command
    }

    /// Another example, in this folder.
    pub(crate) fn example(&self, name: &str) -> Command {
        let mut command = Command::new(example(name));
        command
            .current_dir(self.0.path())
            .env_remove("WEBFLOW_TOKEN")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments).spawn().expect("started"))
    }

    /// Runs it with this on standard input, through a pipe.
    #[allow(dead_code, reason = "only some of the tests have a pipe")]
    pub(crate) fn pipe(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("started");
        let mut stdin = child.stdin.take().expect("a pipe");
        // It may end without reading it.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        ended(child)
    }
}

pub(crate) fn ended(child: Child) -> Ended {
    let output = child.wait_with_output().expect("an end");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ended {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// A good row for an item of this number, with its line break.
pub(crate) fn row(number: u64) -> String {
    format!("{{\"id\":\"66f6ed95{number:016x}\",\"fieldData\":{{\"price\":{number}}}}}\n")
}

/// An example, which cargo builds beside the tests.
fn example(name: &str) -> PathBuf {
    let test = env::current_exe().expect("this test");
    let profile = test.ancestors().nth(2).expect("the folder of the profile");
    let example = profile
        .join("examples")
        .join(format!("{name}{}", env::consts::EXE_SUFFIX));
    let built = fs::metadata(&example).and_then(|found| found.modified());
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let file = sources.join(format!("{name}.rs"));
    let files = match fs::read_dir(sources.join(name)) {
        Ok(folder) => folder
            .map(|entry| entry.expect("an entry").path())
            .collect(),
        Err(_) => vec![file],
    };
    let modified = |path: &PathBuf| fs::metadata(path).and_then(|found| found.modified());
    let newest = files
        .iter()
        .map(|path| modified(path).expect("a source"))
        .max();
    assert!(
        built.is_ok_and(|built| Some(built) >= newest),
        "{} is missing or old: cargo build -p webflow-cms --example {name}",
        example.display()
    );
    example
}

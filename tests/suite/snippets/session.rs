//! What a reader of a page does, done: one folder and one shell for all of its commands, and what they printed. The commands
//! see nothing of the environment of the tests but the path.

use super::addresses::Addresses;
use super::compare;
use crate::support::gateway::PROGRAM;
use crate::support::postgres::{self, PASSWORD, USER};
use crate::support::redis::Redis;
use crate::support::wait;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(150);
/// Waits until an address answers 200, and as long as the process that is to answer lives.
const READY: &str = r#"ready() {
  for _ in $(seq 1200); do
    curl -skf -o /dev/null "$2" && return 0
    kill -0 "$1" 2>/dev/null || return 1
    sleep 0.05
  done
  return 1
}
"#;

/// One thing that is done.
enum Step {
    /// Commands to their end, with this exit code.
    Run(String, i32),
    /// A command that goes on, and what answers when it is ready.
    Serve(String, String),
    File(String, String),
}

/// What a page shows of what commands print.
struct Expected {
    line: usize,
    language: String,
    shown: String,
    /// The number of the step.
    step: usize,
}

/// A folder, a shell, and what is to be done there.
pub(super) struct Session {
    page: String,
    folder: tempfile::TempDir,
    addresses: Addresses,
    replaced: Vec<(String, String)>,
    steps: Vec<(usize, Step)>,
    expected: Vec<Expected>,
    database: Option<String>,
    redis: Option<Redis>,
}

impl Session {
    pub(super) fn new(page: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["work/target/release", "home", "bin", "steps"] {
            fs::create_dir_all(folder.path().join(name)).expect("a folder");
        }
        // As an installed program, and as one that was built where the sources are.
        for name in ["bin/portcullis", "work/target/release/portcullis"] {
            std::os::unix::fs::symlink(PROGRAM, folder.path().join(name)).expect("a link");
        }
        Self {
            page: page.to_owned(),
            folder,
            addresses: Addresses::new(),
            replaced: Vec::new(),
            steps: Vec::new(),
            expected: Vec::new(),
            database: None,
            redis: None,
        }
    }

    /// From here on, and in the sessions that follow on the page.
    pub(super) fn replace(&mut self, replaced: &[(String, String)]) {
        self.replaced = replaced.to_vec();
    }

    pub(super) fn run(&mut self, line: usize, commands: &str, code: i32) {
        let commands = self.filled(commands);
        self.steps.push((line, Step::Run(commands, code)));
    }

    pub(super) fn serve(&mut self, line: usize, commands: &str, ready: &str) {
        let (commands, ready) = (self.filled(commands), self.filled(ready));
        self.steps.push((line, Step::Serve(commands, ready)));
    }

    pub(super) fn file(&mut self, line: usize, name: &str, text: &str) {
        let mut text = self.filled(text);
        for (name, value) in self.services() {
            text = text.replace(&format!("${name}"), &value);
        }
        self.steps.push((line, Step::File(name.to_owned(), text)));
    }

    /// What the commands before are to have printed.
    pub(super) fn expect(&mut self, line: usize, language: &str, shown: &str) -> Result<(), String> {
        let runs = |(_, step): &(usize, Step)| !matches!(step, Step::File(..));
        let step = self.steps.iter().rposition(runs);
        let step = step.ok_or_else(|| format!("{}:{line}: no commands stand before it", self.page))?;
        let (language, shown) = (language.to_owned(), shown.to_owned());
        self.expected.push(Expected { line, language, shown, step });
        Ok(())
    }

    /// Does it all; what went otherwise than the page says.
    pub(super) fn play(self) -> Vec<String> {
        if self.steps.is_empty() {
            return Vec::new();
        }
        let steps = self.folder.path().join("steps");
        fs::write(steps.join("all.sh"), self.script()).expect("write the script");
        let mut shell = self.shell(&steps);
        let ended = wait::poll(LIMIT, || shell.0.try_wait().expect("wait"));
        drop(shell);
        let at = fs::read_to_string(steps.join("at")).unwrap_or_default().trim().to_owned();
        if ended.is_none_or(|status| !status.success()) || at != "end" {
            let number: usize = at.parse().unwrap_or_default();
            let line = self.steps[number].0;
            let said = self.printed(number);
            return vec![format!("{}:{line}: ended with {ended:?}, having printed:\n{said}", self.page)];
        }
        let differs = |it: &Expected| {
            let difference = compare::difference(&it.language, &it.shown, &self.printed(it.step))?;
            Some(format!("{}:{}: something else is printed\n{difference}", self.page, it.line))
        };
        self.expected.iter().filter_map(differs).collect()
    }

    /// What a step printed, with the page's addresses.
    fn printed(&self, step: usize) -> String {
        let bytes = fs::read(self.folder.path().join(format!("steps/{step}.out"))).unwrap_or_default();
        self.addresses.restore(&String::from_utf8_lossy(&bytes))
    }

    /// What the shell does: each step in its turn, in the same process, up to the first that fails.
    fn script(&self) -> String {
        let mut script = format!("{READY}set -eo pipefail\n");
        for (number, (_, step)) in self.steps.iter().enumerate() {
            let (Step::Run(text, _) | Step::Serve(text, _) | Step::File(_, text)) = step;
            fs::write(self.folder.path().join(format!("steps/{number}.sh")), text).expect("write a step");
            let play = format!(". \"$STEPS/{number}.sh\"");
            let printed = format!("> \"$STEPS/{number}.out\" 2>&1");
            let line = match step {
                Step::Run(_, 0) => format!("{play} {printed}"),
                Step::Run(_, code) => {
                    format!("set +e; {play} {printed}; code=$?; set -e; [ $code = {code} ]")
                }
                Step::Serve(_, ready) => format!("( {play} ) {printed} & ready $! {ready}"),
                Step::File(name, _) => {
                    format!("mkdir -p \"$(dirname {name})\"; cp \"$STEPS/{number}.sh\" {name}")
                }
            };
            script.push_str(&format!("echo {number} > \"$STEPS/at\"\n{line}\n"));
            if !matches!(step, Step::File(..)) {
                script.push_str(&format!("PRINTED=\"$STEPS/{number}.out\"\n"));
            }
        }
        script + "echo end > \"$STEPS/at\"\n"
    }

    fn shell(&self, steps: &Path) -> Group {
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.folder.path().join("bin");
        let mut command = Command::new("bash");
        command.arg(steps.join("all.sh")).current_dir(self.folder.path().join("work")).env_clear();
        let path = format!("{}:{path}:/usr/sbin:/sbin", bin.display());
        command.env("FIRST_PATH", &path).env("PATH", path).env("WORK", self.folder.path().join("work"));
        command.env("HOME", self.folder.path().join("home")).env("STEPS", steps).env("LANG", "C.UTF-8");
        command.env("ROOT", env!("CARGO_MANIFEST_DIR")).envs(self.services());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Group::of(command.spawn().expect("bash runs"))
    }

    /// The servers that the commands can name.
    fn services(&self) -> Vec<(&'static str, String)> {
        let redis = self.redis.as_ref().map(|redis| ("REDIS_URL", redis.url("")));
        let database = self.database.clone().map(|url| ("DATABASE_URL", url));
        redis.into_iter().chain(database).collect()
    }

    /// With the texts that stand for others, and with this session's addresses.
    fn filled(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.replaced {
            text = text.replace(from, to);
        }
        if text.contains("$DATABASE_URL") && self.database.is_none() {
            let database = postgres::database();
            let password = PASSWORD.replace('@', "%40").replace('/', "%2F");
            let (port, name) = (database.port, database.name);
            self.database =
                Some(format!("postgres://{USER}:{password}@127.0.0.1:{port}/{name}?sslmode=disable"));
        }
        if text.contains("$REDIS_URL") && self.redis.is_none() {
            self.redis = Some(Redis::start());
        }
        self.addresses.fill(&text)
    }
}

/// Commands in a shell of their own, which begins where the session began.
pub(super) fn in_terminal(commands: &str) -> String {
    let shell = "env -i PATH=\"$FIRST_PATH\" HOME=\"$HOME\" LANG=C.UTF-8 bash -eo pipefail";
    format!("( cd \"$WORK\" && {shell} <<'END_OF_TERMINAL'\n{commands}END_OF_TERMINAL\n)\n")
}

/// A shell and all that it started; gone when dropped, and with this process.
struct Group(Child, Child);

impl Group {
    fn of(shell: Child) -> Self {
        let watchdog = Command::new("sh")
            .args(["-c", "read _; kill -9 \"-$0\"", &shell.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start the watchdog");
        Self(shell, watchdog)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(self.1.stdin.take());
        let _ = self.1.wait();
        let _ = self.0.wait();
    }
}

/// A file of this folder of the suite.
pub(super) fn beside(folder: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/snippets").join(folder).join(name)
}

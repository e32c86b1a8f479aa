//! The steps of setting up and building: each says what it does, is skipped where it is already
//! done, and when it fails says what to type to do it by hand.

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};

/// One step, as a person reads it.
pub(crate) struct Step<'a> {
    /// What it does, as in "installing the npm packages".
    pub(crate) does: &'a str,
    /// What to type, or to do, where it fails.
    pub(crate) by_hand: &'a str,
}

impl Step<'_> {
    /// Does `work`, unless it is already `done`.
    pub(crate) fn run(&self, done: bool, work: impl FnOnce() -> Result<()>) -> Result<()> {
        if done {
            return Ok(());
        }
        eprintln!("· {}", self.does);
        work().with_context(|| format!("{} did not work. By hand: {}", self.does, self.by_hand))
    }
}

/// Runs a command whose output the person should see.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    if !status.success() {
        bail!("`{}` ended with {status}", written(command));
    }
    Ok(())
}

/// Runs a command whose output matters only when it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| cannot_start(command, &error))?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        bail!("`{}` ended with {}", written(command), output.status);
    }
    Ok(())
}

/// What a command prints on standard output, trimmed.
pub(crate) fn printed_by(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| cannot_start(command, &error))?;
    if !output.status.success() {
        bail!(
            "`{}` ended with {}: {}",
            written(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a command starts and succeeds.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    printed_by(command).is_ok()
}

/// Whether a program of this name starts at all, whatever it then makes of having no arguments.
pub(crate) fn exists(program: &str) -> bool {
    match Command::new(program).stdin(Stdio::null()).output() {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

fn cannot_start(command: &Command, error: &std::io::Error) -> anyhow::Error {
    let program = command.get_program().to_string_lossy();
    if error.kind() == ErrorKind::NotFound {
        anyhow!("there is no `{program}` on this machine's PATH")
    } else {
        anyhow!("`{program}` does not start: {error}")
    }
}

/// A command as one would type it.
fn written(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_is_done_does_no_work() {
        let step = Step { does: "failing", by_hand: "nothing" };
        assert!(step.run(true, || bail!("it ran")).is_ok());
    }

    #[test]
    fn a_step_that_fails_says_how_to_do_it_by_hand() {
        let step = Step { does: "installing a thing", by_hand: "thing --install" };
        let said = step.run(false, || bail!("no network")).map_err(|error| format!("{error:#}"));
        assert_eq!(said, Err("installing a thing did not work. By hand: thing --install: no network".into()));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let said = run(&mut Command::new("no-such-program-here")).map_err(|error| error.to_string());
        assert_eq!(said, Err("there is no `no-such-program-here` on this machine's PATH".into()));
    }
}

//! Real texts that lie beside the project and are not shipped with it. What is skipped is said on
//! stderr itself, since the test runner keeps the words of tests that pass to itself.

use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Converts the judged corpora beside the project into `out`; says so visibly when they are not there.
pub fn converted(out: &Path) -> bool {
    let corpora = std::env::var("GYEOL_CORPORA").unwrap_or_else(|_| "../shared/corpora".to_owned());
    let script = Path::new(&corpora).join("convert.py");
    if !script.is_file() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: no judged corpora at {corpora} (set GYEOL_CORPORA)");
        return false;
    }
    let run = Command::new("python3").arg(&script).arg(out).output();
    let done = run.as_ref().is_ok_and(|r| r.status.success());
    if !done {
        let _ = writeln!(std::io::stderr(), "SKIPPED: python3 {} failed: {run:?}", script.display());
    }
    done
}

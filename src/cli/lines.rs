//! Texts from outside, one a line.

use std::io::BufRead;

use super::failure::{Failure, USAGE};

/// Up to `limit` lines of `name` without their line ends; none at its end. `before` is how many were
/// read already.
pub fn read(input: &mut impl BufRead, name: &str, before: usize, limit: usize) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    while lines.len() < limit {
        let mut bytes = Vec::new();
        let read = input.read_until(b'\n', &mut bytes).map_err(|e| Failure::stream(name, &e))?;
        if read == 0 {
            break;
        }
        let line = String::from_utf8(bytes).map_err(|_| {
            let number = before + lines.len() + 1;
            Failure::new(USAGE, format!("{name}: line {number} is not UTF-8; convert the text first (iconv)"))
        })?;
        lines.push(line.strip_suffix('\n').map_or(&*line, |l| l.strip_suffix('\r').unwrap_or(l)).to_owned());
    }
    Ok(lines)
}

//! Index a folder and ask it a question.
//!
//!     cargo run --release --example index_folder -- data/library "how are files replaced safely?"

use gyeol::Collection;
use gyeol::embed::builtin;

fn main() -> gyeol::Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().unwrap_or_else(|| "data/library".to_owned());
    let question = args.next().unwrap_or_else(|| "how are files replaced safely?".to_owned());

    let mut notes = Collection::open_or_create(format!("{folder}/.gyeol"), builtin())?;
    let report = notes.add_dir(&folder)?;
    notes.commit()?;
    println!("{} files new, {} changed, {} as before", report.added, report.updated, report.unchanged);

    for hit in notes.search(&question).k(3).run()? {
        println!("\n{:.3} {}\n{}", hit.score, hit.source, hit.text);
    }
    Ok(())
}

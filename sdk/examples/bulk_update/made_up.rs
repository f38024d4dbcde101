//! Updates for those who have none at hand: lamps in three locales, the same ones each time.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// The name of an item, the locale, and what follows of its updates.
const LOCALES: [(&str, &str); 3] = [
    ("Lamp", ""),
    ("Lampe", r#""cmsLocaleId":"66f6e966c9e1dc700a857ca4","#),
    ("Leuchte", r#""cmsLocaleId":"66f6e98bd3f00a6e3a1c7f52","#),
];

/// Writes the file with so many updates.
pub(crate) fn write(path: &Path, updates: u64) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = BufWriter::new(File::create(path)?);
    for (number, (name, locale)) in (0..updates).zip(LOCALES.into_iter().cycle()) {
        let item = number / 3;
        let price = format!("{}.5", 19 + item % 80);
        let field = if is_bad(number + 1) {
            "unknown-field"
        } else {
            "price"
        };
        let in_stock = item % 7 > 0;
        writeln!(
            file,
            "{{\"id\":\"66f6ed95{item:016x}\",{locale}\"fieldData\":{{\"name\":\"{name} {item}\",\
             \"{field}\":{price},\"in-stock\":{in_stock}}}}}"
        )?;
    }
    file.flush()
}

/// Whether the update in this line has a field that the collection does not know. The first 900 lines are good, so that
/// what goes wrong with the first requests has nothing to do with what is in them.
fn is_bad(line: u64) -> bool {
    line > 900 && line % 250 == 151
}

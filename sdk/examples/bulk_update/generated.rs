//! Generated updates for a run without a file: lamps in three locales, the same in every run.

use std::io::{self, Cursor, Read};

/// The first word of an item's name and the JSON of its locale, for each locale.
const LOCALES: [(&str, &str); 3] = [
    ("Lamp", ""),
    ("Lampe", r#""cmsLocaleId":"66f6e966c9e1dc700a857ca4","#),
    ("Leuchte", r#""cmsLocaleId":"66f6e98bd3f00a6e3a1c7f52","#),
];

/// A reader of a number of updates, one per line.
pub(crate) struct Generated {
    updates: u64,
    generated: u64,
    line: Cursor<String>,
}

impl Generated {
    pub(crate) fn new(updates: u64) -> Self {
        Self {
            updates,
            generated: 0,
            line: Cursor::default(),
        }
    }
}

impl Read for Generated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.line.read(buffer)?;
        if rest > 0 || buffer.is_empty() || self.generated == self.updates {
            return Ok(rest);
        }
        self.line = Cursor::new(line(self.generated));
        self.generated += 1;
        self.line.read(buffer)
    }
}

fn line(number: u64) -> String {
    let item = number / 3;
    let (name, locale) = LOCALES[(number % 3) as usize];
    let price = format!("{}.5", 19 + item % 80);
    let field = if is_bad(number + 1) {
        "unknown-field"
    } else {
        "price"
    };
    let in_stock = !item.is_multiple_of(7);
    format!(
        "{{\"id\":\"66f6ed95{item:016x}\",{locale}\"fieldData\":{{\"name\":\"{name} {item}\",\
         \"{field}\":{price},\"in-stock\":{in_stock}}}}}\n"
    )
}

/// Whether the update in this line has an unknown field. The first 900 lines are good, so that the failures of the
/// first requests are not caused by their content.
fn is_bad(line: u64) -> bool {
    line > 900 && line % 250 == 151
}

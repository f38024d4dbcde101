//! Updates for those who have none at hand: lamps in three locales, the same ones each time.

use std::io::{self, Cursor, Read};

/// The name of an item, the locale, and what follows of its updates.
const LOCALES: [(&str, &str); 3] = [
    ("Lamp", ""),
    ("Lampe", r#""cmsLocaleId":"66f6e966c9e1dc700a857ca4","#),
    ("Leuchte", r#""cmsLocaleId":"66f6e98bd3f00a6e3a1c7f52","#),
];

/// So many updates, one a line.
pub(crate) struct MadeUp {
    updates: u64,
    made: u64,
    line: Cursor<String>,
}

impl MadeUp {
    pub(crate) fn new(updates: u64) -> Self {
        Self {
            updates,
            made: 0,
            line: Cursor::default(),
        }
    }
}

impl Read for MadeUp {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.line.read(buffer)?;
        if rest > 0 || buffer.is_empty() || self.made == self.updates {
            return Ok(rest);
        }
        self.line = Cursor::new(line(self.made));
        self.made += 1;
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

/// Whether the update in this line has a field that the collection does not know. The first 900 lines are good, so that
/// what goes wrong with the first requests has nothing to do with what is in them.
fn is_bad(line: u64) -> bool {
    line > 900 && line % 250 == 151
}

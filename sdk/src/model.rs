//! Item updates, batches and fields of requests, and the items of responses.

mod batch;
mod field_data;
mod fields;
mod generated;
mod item;
mod item_update;
mod lenient;
mod members;
mod missing_fields;

pub use self::batch::Batch;
pub use self::field_data::FieldData;
pub use self::fields::Fields;
pub use self::generated::{CollectionItem, Pagination};
pub use self::item_update::ItemUpdate;
pub(crate) use self::lenient::if_it_fits;

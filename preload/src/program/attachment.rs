//! What a floor above keeps of an image or a module: of one type, which is unknown here.

use std::any::Any;
use std::sync::OnceLock;

/// Room for one value.
#[derive(Debug, Default)]
pub struct Attachment(OnceLock<Box<dyn Any + Send + Sync>>);

impl Attachment {
    /// The value, if it was made.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.get()?.downcast_ref()
    }

    /// The value, which `make` makes the first time.
    ///
    /// # Panics
    /// If it is of another type.
    pub fn get_or_init<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(|| Box::new(make())).downcast_ref().expect("one module attaches here")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_made() {
        let attachment = Attachment::default();
        assert_eq!(attachment.get::<u32>(), None);
        assert_eq!(*attachment.get_or_init(|| 1u32), 1);
        assert_eq!(*attachment.get_or_init(|| 2u32), 1);
        assert_eq!((attachment.get(), attachment.get::<u8>()), (Some(&1u32), None));
    }
}

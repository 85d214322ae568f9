//! What hears of compiled code: unwinders, names, debuggers, perf and others, each in a file of its own. The list is at
//! the top (startup/listeners.rs).

use std::sync::OnceLock;

use autojit_code::{Code, CodeMemory, Description, unit};

use crate::link::lines::Lines;
use crate::program::image::{self, Image};
use crate::program::module::Module;

/// Code that is complete and executable, before anything leads to it.
pub struct Published<'a> {
    /// The module that it belongs to.
    pub module: &'static Module,
    /// The memory that it lies in.
    pub memory: &'static CodeMemory,
    /// The code.
    pub code: Code,
    /// What describes its lines, for the one that takes them.
    pub lines: Lines,
    /// What names its functions; none if that is damaged.
    pub description: Option<Description>,
    /// Objects that tell debuggers more of it.
    pub objects: &'a [unit::Lines<'a>],
}

/// Hears of code that comes and goes.
pub trait Listener: Sync {
    /// Code was published. Other threads run it when all have been told.
    fn published(&self, _: &mut Published<'_>) {}

    /// An image was unloaded: its code will not run again, and its memory is given back when all have been told.
    fn unloaded(&self, _: &Image) {}
}

/// In the order in which they are told.
pub type Listeners = &'static [&'static dyn Listener];

static LISTENERS: OnceLock<Listeners> = OnceLock::new();

/// Sets the listeners of the process, once.
pub fn begin(listeners: Listeners) {
    LISTENERS.get_or_init(|| listeners);
    image::tell_of_unloads(unloaded);
}

fn all() -> Listeners {
    LISTENERS.get().expect("an image has registered")
}

/// Tells all of published code.
pub fn published(published: &mut Published<'_>) {
    all().iter().for_each(|listener| listener.published(published));
}

fn unloaded(image: &Image) {
    all().iter().for_each(|listener| listener.unloaded(image));
}

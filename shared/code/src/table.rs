//! Tables of a unit: lists in the making, or the bytes of a cache file, of which an entry is read when it is asked for.

/// What a packed table consists of.
pub trait Record<'a>: Clone {
    /// Bytes of an entry.
    const SIZE: usize;

    /// The entry in `SIZE` bytes, whose names are in `strings`. None if it is none.
    fn unpacked(bytes: &[u8], strings: &'a str) -> Option<Self>;
}

/// A table.
#[derive(Clone, Debug)]
pub enum Table<'a, T> {
    /// In memory of its own.
    List(Vec<T>),
    /// In bytes.
    Packed {
        /// Whole entries.
        entries: &'a [u8],
        /// What their names are in.
        strings: &'a str,
    },
}

impl<T> Default for Table<'_, T> {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl<T> From<Vec<T>> for Table<'_, T> {
    fn from(list: Vec<T>) -> Self {
        Self::List(list)
    }
}

impl<'a, T: Record<'a>> Table<'a, T> {
    /// A packed table; None if an entry is none that is `good`.
    pub fn packed(entries: &'a [u8], strings: &'a str, good: impl Fn(&T) -> bool) -> Option<Self> {
        let is_good = |entry: &[u8]| {
            entry.len() == T::SIZE && T::unpacked(entry, strings).is_some_and(|entry| good(&entry))
        };
        entries.chunks(T::SIZE).all(is_good).then_some(Self::Packed { entries, strings })
    }

    /// A packed table whose entries were not checked: [`get`](Self::get) checks the one that it returns.
    pub fn unchecked(entries: &'a [u8], strings: &'a str) -> Self {
        Self::Packed { entries, strings }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Packed { entries, .. } => entries.len() / T::SIZE,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry of an index.
    pub fn get(&self, index: usize) -> Option<T> {
        match self {
            Self::List(list) => list.get(index).cloned(),
            Self::Packed { entries, strings } => {
                let entry = entries.get(index.checked_mul(T::SIZE)?..)?.get(..T::SIZE)?;
                T::unpacked(entry, strings)
            }
        }
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        // Every entry is one, if packed() has looked.
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<'a, T: Record<'a> + PartialEq> PartialEq for Table<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

//! The modules that the daemon knows: their containers, and the objects that were compiled of them. What was not used for
//! longest is forgotten when there is too much: a program then sends its container again.

use std::collections::{BTreeMap, HashMap};

use autojit_protocol::Blob;
use autojit_store::Container;
use autojit_sys::{Errno, File, Map};

use crate::job::{CodeKey, Functions};

/// Bytes of containers that are kept.
const CONTAINER_BYTES: usize = 1 << 30;
/// Bytes of objects that are kept.
const OBJECT_BYTES: usize = 256 << 20;

/// A container.
#[derive(Debug)]
struct KnownModule {
    file: File,
    bytes: Map,
    used: u64,
}

/// An object.
#[derive(Debug)]
struct KeptObject {
    file: File,
    len: usize,
    code_key: CodeKey,
    made: Made,
    used: u64,
}

/// How an object was made.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    /// Whether the cache is to have it.
    pub kept: bool,
    /// Whether it is of a function that runs often, as good as it can be.
    pub often: bool,
}

/// All containers and objects.
#[derive(Debug)]
pub struct Modules {
    modules: HashMap<autojit_store::Key, KnownModule>,
    objects: BTreeMap<u64, KeptObject>,
    functions: HashMap<CodeKey, HashMap<u32, u64>>,
    /// Numbers for objects and for what was used when.
    clock: u64,
    container_bytes: usize,
    object_bytes: usize,
    /// Containers, and objects, that may be open.
    limit: usize,
}

impl Modules {
    /// None yet; `limit` containers and as many objects may be open.
    pub fn new(limit: usize) -> Self {
        Self {
            modules: HashMap::new(),
            objects: BTreeMap::new(),
            functions: HashMap::new(),
            clock: 0,
            container_bytes: 0,
            object_bytes: 0,
            limit,
        }
    }

    /// Takes in a container.
    ///
    /// # Errors
    /// It is damaged, or another one: in words.
    pub fn add(&mut self, key: autojit_store::Key, blob: Blob) -> Result<(), String> {
        if let Some(module) = self.modules.get_mut(&key) {
            self.clock += 1;
            module.used = self.clock;
            return Ok(());
        }
        let file = match blob {
            Blob::File(file, _) => file,
            Blob::Inline(bytes) => {
                File::sealed(c"container", &[&bytes]).map_err(|error| error.to_string())?
            }
        };
        let bytes = file.map().map_err(|error| error.to_string())?;
        let container = Container::open(&bytes).map_err(|error| error.to_string())?;
        // The rest has checksums of its own, and a process that could send a false container could as well write to the
        // user's object cache: SHA-256 of a large one would be the longest part of its first request.
        if container.key() != key {
            return Err("the container is another one".into());
        }
        container.check_index().map_err(|error| error.to_string())?;
        self.clock += 1;
        self.container_bytes += bytes.len();
        self.modules.insert(key, KnownModule { file, bytes, used: self.clock });
        while self.container_bytes > CONTAINER_BYTES || self.modules.len() > self.limit {
            let Some(key) = self.modules.iter().min_by_key(|(_, module)| module.used).map(|(key, _)| *key)
            else {
                break;
            };
            self.forget(&key);
        }
        Ok(())
    }

    /// Whether a container is here; it counts as used.
    pub fn has(&mut self, key: &autojit_store::Key) -> bool {
        self.clock += 1;
        let clock = self.clock;
        self.modules.get_mut(key).map(|module| module.used = clock).is_some()
    }

    /// Forgets a container.
    pub fn forget(&mut self, key: &autojit_store::Key) {
        if let Some(module) = self.modules.remove(key) {
            self.container_bytes -= module.bytes.len();
        }
    }

    /// A container, for a compiler.
    ///
    /// # Errors
    /// It is not here, or there is no room for a descriptor.
    pub fn container(&self, key: &autojit_store::Key) -> Result<Blob, Errno> {
        let module = self.modules.get(key).ok_or(Errno(libc::ENOENT))?;
        Ok(Blob::File(module.file.duplicate_above(3)?, module.bytes.len()))
    }

    /// What a function is called, and its source file, for messages.
    pub fn describe(&self, key: &autojit_store::Key, function: Option<u32>) -> String {
        let container = self.modules.get(key).and_then(|module| Container::parse(&module.bytes).ok());
        let Some(container) = container else { return "a module".into() };
        match function.and_then(|index| container.function(index)) {
            Some(info) => format!("{} of {}", info.name, container.source()),
            None => container.source().to_owned(),
        }
    }

    /// Takes in an object with these functions of a module.
    pub fn insert(
        &mut self,
        code_key: CodeKey,
        functions: Functions,
        file: File,
        len: usize,
        made: Made,
    ) -> u64 {
        self.clock += 1;
        let number = self.clock;
        for index in functions.iter() {
            self.functions.entry(code_key).or_default().insert(index, number);
        }
        self.object_bytes += len;
        self.objects.insert(number, KeptObject { file, len, code_key, made, used: number });
        while self.objects.len() > 1 && (self.object_bytes > OBJECT_BYTES || self.objects.len() > self.limit)
        {
            let oldest = self.objects.iter().min_by_key(|(_, object)| object.used).map(|(number, _)| *number);
            let Some(object) = oldest.and_then(|number| self.objects.remove(&number)) else { break };
            self.object_bytes -= object.len;
            if let Some(functions) = self.functions.get_mut(&object.code_key) {
                functions.retain(|_, number| Some(*number) != oldest);
                if functions.is_empty() {
                    self.functions.remove(&object.code_key);
                }
            }
        }
        number
    }

    /// The object with a function, and whether the cache is to have it. With `often`, only one that was made for that.
    pub fn object(&mut self, code_key: CodeKey, function: u32, often: bool) -> Option<(Blob, bool)> {
        let number = *self.functions.get(&code_key)?.get(&function)?;
        self.clock += 1;
        let object = self.objects.get_mut(&number)?;
        if often && !object.made.often {
            return None;
        }
        object.used = self.clock;
        Some((blob(&object.file, object.len)?, object.made.kept))
    }

    /// The functions of a module that are in objects.
    pub fn done(&self, code_key: CodeKey) -> Functions {
        let mut done = Functions::default();
        for index in self.functions.get(&code_key).into_iter().flatten().map(|(index, _)| *index) {
            done.insert(index);
        }
        done
    }

    /// Numbers of containers, objects, and bytes of both.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.modules.len(), self.objects.len(), self.container_bytes + self.object_bytes)
    }
}

/// A blob with the file's bytes: the bytes themselves if there is no room for a descriptor.
pub fn blob(file: &File, len: usize) -> Option<Blob> {
    match file.duplicate_above(3) {
        Ok(file) => Some(Blob::File(file, len)),
        Err(_) => inline(file),
    }
}

/// A blob with the file's bytes, for clients that cannot be sent descriptors.
pub fn inline(file: &File) -> Option<Blob> {
    file.map().ok().map(|bytes| Blob::Inline(bytes.to_vec()))
}

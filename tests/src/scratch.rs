//! Where tests write: a directory of its own for each test, and files that are kept between runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::fresh;

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository")
}

/// A file of `dist/`, or of another such directory that the environment names, which must exist.
pub fn dist(file: &str) -> PathBuf {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        std::env::var_os("AUTOJIT_TESTS_DIST").map(PathBuf::from).unwrap_or_else(|| {
            let own = repository().join("dist");
            fresh::check(repository(), &own).unwrap_or_else(|stale| panic!("{stale}"));
            own
        })
    });
    let path = DIRECTORY.join(file);
    assert!(path.is_file(), "{} is missing: run scripts/build", path.display());
    path
}

/// The directory below the target directory in which tests write.
fn base() -> PathBuf {
    // Tests' executables lie in <target>/<profile>/deps, tools in <target>/<profile>.
    let executable = std::env::current_exe().expect("a test knows its executable");
    let depth = if executable.parent().is_some_and(|parent| parent.ends_with("deps")) { 3 } else { 2 };
    let target = executable.ancestors().nth(depth).expect("an executable lies in the target directory");
    target.join("autojit-tests")
}

/// A directory that is empty at first, and removed unless the test fails.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// The directory of the test `name`, which must be unique.
    pub fn new(name: &str) -> Self {
        Self::at(base().join("run").join(name))
    }

    /// The same where programs of other users can be: the repository may lie in a home directory.
    pub fn reachable(name: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let open = |directory: &Path| {
            directory.metadata().is_ok_and(|found| !found.is_dir() || found.permissions().mode() & 0o001 != 0)
        };
        let scratch = Self::new(name);
        if scratch.path().ancestors().all(open) {
            return scratch;
        }
        Self::at(std::env::temp_dir().join(format!("autojit-tests-{name}-{}", std::process::id())))
    }

    fn at(path: PathBuf) -> Self {
        if path.exists() {
            fs::remove_dir_all(&path).expect("the directory of an earlier run can be removed");
        }
        fs::create_dir_all(&path).expect("the target directory is writable");
        Self(path)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A subdirectory, created.
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).expect("the target directory is writable");
        path
    }

    /// A new file with the given content.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("it lies in the directory")).expect("it is writable");
        fs::write(&path, content).expect("the target directory is writable");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // Left-overs do no harm: the next run removes them.
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A directory that is kept between runs, for tools that know themselves what is out of date.
pub fn keeping(name: &str) -> PathBuf {
    let path = base().join("kept").join(name);
    fs::create_dir_all(&path).expect("the target directory is writable");
    path
}

/// The file that `make` writes for the inputs hashed into `key`: made once, then kept between runs.
pub fn kept(key: Sha256, extension: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let key: String = key.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let directory = base().join("kept");
    fs::create_dir_all(&directory).expect("the target directory is writable");
    let path = directory.join(format!("{key}.{extension}"));
    if !path.exists() {
        // Tests of several processes may make the same file at once: the last rename wins, with the same content.
        let unique = format!("{:?}", std::thread::current().id()).replace(|c: char| !c.is_alphanumeric(), "");
        let temporary = directory.join(format!("{key}.{}.{unique}.{extension}", std::process::id()));
        make(&temporary);
        fs::rename(&temporary, &path).expect("both lie in one directory");
    }
    path
}

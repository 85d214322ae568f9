//! Modules that wait to be compiled ahead of their first requests.

use std::collections::VecDeque;

use crate::job::CodeKey;

/// Modules that wait at most.
const LIMIT: usize = 4096;

/// The modules, the next one first.
#[derive(Debug)]
pub struct Ahead {
    waiting: VecDeque<CodeKey>,
    enabled: bool,
}

impl Ahead {
    /// None yet, and none ever unless `enabled`.
    pub fn new(enabled: bool) -> Self {
        Self { waiting: VecDeque::new(), enabled }
    }

    /// Adds a module: one that a program uses already goes before those that were only `made`.
    pub fn add(&mut self, code_key: CodeKey, made: bool) {
        if !self.enabled || self.waiting.contains(&code_key) || self.waiting.len() >= LIMIT {
            return;
        }
        if made {
            self.waiting.push_back(code_key);
        } else {
            self.waiting.push_front(code_key);
        }
    }

    /// The next module.
    pub fn first(&self) -> Option<CodeKey> {
        self.waiting.front().copied()
    }

    /// Removes the next module, which a compiler has now.
    pub fn remove_first(&mut self) {
        self.waiting.pop_front();
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

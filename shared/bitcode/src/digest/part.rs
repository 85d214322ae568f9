//! A part of a module in the making: what it says, and what it refers to.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_128;

use super::Entity;

/// Something of a module, whole but for what it refers to.
#[derive(Debug)]
pub struct Part {
    /// Of what it says; what it refers to has numbers there.
    pub digest: u128,
    /// By number there: the numbers of the entities.
    pub refers: Vec<u32>,
}

/// What is said.
#[derive(Default)]
pub struct Text {
    bytes: Vec<u8>,
    refers: Vec<Entity>,
    numbers: BTreeMap<Entity, u32>,
}

impl Text {
    /// Says what comes next.
    pub fn tag(&mut self, tag: u8) {
        self.bytes.push(tag);
    }

    pub fn number(&mut self, number: impl Into<u64>) {
        self.bytes.extend_from_slice(&number.into().to_le_bytes());
    }

    pub fn flag(&mut self, flag: bool) {
        self.bytes.push(flag.into());
    }

    pub fn wide(&mut self, number: u128) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub fn string(&mut self, string: &[u8]) {
        self.number(string.len() as u64);
        self.bytes.extend_from_slice(string);
    }

    pub fn numbers(&mut self, numbers: &[u64]) {
        self.number(numbers.len() as u64);
        numbers.iter().for_each(|number| self.number(*number));
    }

    /// Refers to something of the module.
    pub fn refer(&mut self, entity: Entity) {
        let new = self.refers.len() as u32;
        let number = *self.numbers.entry(entity).or_insert(new);
        if number == new {
            self.refers.push(entity);
        }
        self.number(number);
    }

    /// What was referred to, by the order in which it was.
    pub fn refers(&self) -> &[Entity] {
        &self.refers
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn digest(&self) -> u128 {
        xxh3_128(&self.bytes)
    }
}

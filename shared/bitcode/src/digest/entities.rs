//! What can be referred to, with numbers, and walks along what refers to what: many functions reach the same things, and each walk
//! goes through all of it.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Entity;
use super::part::{Part, Text};

/// All that was referred to so far.
#[derive(Default)]
pub struct Entities {
    numbers: BTreeMap<Entity, u32>,
    all: Vec<Known>,
    walks: u32,
}

/// What is known of an entity.
struct Known {
    entity: Entity,
    part: Option<Rc<Part>>,
    /// The walk that met it last, and its number there.
    met: (u32, u32),
}

impl Entities {
    /// The number of an entity.
    pub fn number(&mut self, entity: Entity) -> u32 {
        let new = self.all.len() as u32;
        let number = *self.numbers.entry(entity).or_insert(new);
        if number == new {
            self.all.push(Known { entity, part: None, met: (0, 0) });
        }
        number
    }

    /// A part that says `text`.
    pub fn part(&mut self, text: &Text) -> Part {
        let refers = text.refers().iter().map(|entity| self.number(*entity));
        Part { digest: text.digest(), refers: refers.collect() }
    }

    /// The part of an entity, if it was made.
    pub fn known(&self, number: u32) -> Option<&Rc<Part>> {
        self.all[number as usize].part.as_ref()
    }

    /// Which entity has a number.
    pub fn entity(&self, number: u32) -> Entity {
        self.all[number as usize].entity
    }

    /// Keeps the part of an entity.
    pub fn keep(&mut self, number: u32, part: Rc<Part>) {
        self.all[number as usize].part = Some(part);
    }

    /// A walk that has met nothing yet. There is one at a time.
    pub fn walk(&mut self) -> Walk {
        self.walks += 1;
        Walk::default()
    }
}

/// What was met on the way through a module, and what is still to be looked at.
#[derive(Default)]
pub struct Walk {
    /// What was said: two walks that say the same went through the same.
    pub text: Vec<u8>,
    /// In the order in which it was met.
    met: Vec<u32>,
    looked_at: usize,
}

impl Walk {
    /// Says a text.
    pub fn text(&mut self, text: &[u8]) {
        self.text.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.text.extend_from_slice(text);
    }

    /// Notes an entity by the order in which it was met, which may be now.
    pub fn meet(&mut self, number: u32, entities: &mut Entities) {
        let walk = entities.walks;
        let last = &mut entities.all[number as usize].met;
        if last.0 != walk {
            *last = (walk, self.met.len() as u32);
            self.met.push(number);
        }
        self.text.extend_from_slice(&last.1.to_le_bytes());
    }

    /// Notes what a part says, and what it refers to.
    pub fn part(&mut self, part: &Part, entities: &mut Entities) {
        self.text.extend_from_slice(&part.digest.to_le_bytes());
        part.refers.iter().for_each(|number| self.meet(*number, entities));
    }

    /// The next one to be looked at.
    pub fn next(&mut self) -> Option<u32> {
        let next = self.met.get(self.looked_at).copied();
        self.looked_at += 1;
        next
    }
}

//! Digests of what an optimiser sees when it compiles a function: equal digests, equal code.
//!
//! A module is a graph: functions, variables, constants and metadata refer to one another. A digest goes through the part of it
//! that can be reached from the function, with what LLVM can look into of bodies and initialisers, in an order that depends on
//! nothing but the graph, and numbers what it meets. So equal digests mean that one part is the other with other numbers. Of
//! bodies, those are looked into that the engine may take along for the inliner ([`Digester::new`]); of others the declaration is.
//!
//! Left out are locations and all else that is said for debuggers alone, names of locals, types and constants that only the
//! module knows, and the order of the module. What is not understood has no digest.

mod entities;
mod lines;
mod metadata;
mod part;
mod values;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use xxhash_rust::xxh3::xxh3_128;

use crate::{
    AttributeKind, BitcodeModule, Error, FunctionBody, GlobalKind, Metadata, Reason, Result, TypeId, Value,
};
use entities::Entities;
use lines::BodyLines;
pub use lines::{Lines, Place};
use part::Part;

/// What a name is outside of the bitcode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// Any number that tells kinds of names apart; 0 for what nothing else knows of.
    pub kind: u8,
    /// A function whose body is never taken along.
    pub opaque: bool,
}

/// What can be referred to, beside a function's own values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Entity {
    Global(u32),
    /// One of the module's constants.
    Constant(Value),
    /// One of the module's metadata, counted from 1.
    Node(u32),
    /// One of a function's metadata.
    Own(u32, u32),
}

/// A body.
#[derive(Debug)]
struct Body {
    part: Part,
    /// The functions that it calls, and whether a call says that it is to be inlined.
    calls: Vec<(u32, bool)>,
    /// Its function in the source, if that is known.
    subprogram: u32,
}

/// A body as far as it was looked at.
#[derive(Clone, Debug)]
enum Known {
    /// It has more instructions than any that is taken along.
    Large,
    /// So many.
    Small(u32, Rc<Body>),
}

/// Makes digests of functions of a module.
pub struct Digester<'m> {
    module: &'m BitcodeModule<'m>,
    class: &'m dyn Fn(&[u8]) -> Class,
    /// How many instructions a body may have to be taken along over so many calls.
    room: fn(u32) -> u32,
    metadata: Metadata<'m>,
    /// Names of kinds of metadata.
    kinds: BTreeMap<u64, Vec<u8>>,
    /// What is attached to globals: kind and node.
    attached: BTreeMap<u32, Vec<(u64, u32)>>,
    /// The module's flags.
    flags: Vec<u32>,
    types: Vec<Option<u128>>,
    attributes: BTreeMap<u32, u128>,
    entities: Entities,
    known: BTreeMap<u32, Known>,
    /// Lines of bodies.
    lines: BTreeMap<u32, Rc<BodyLines<'m>>>,
    body: FunctionBody,
    /// Whose metadata is at hand.
    body_of: u32,
}

impl std::fmt::Debug for Digester<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digester({} bodies)", self.known.len())
    }
}

/// A construct of which there is no digest.
const UNKNOWN: Error = Error { reason: Reason::Unsupported, bit: 0 };

impl<'m> Digester<'m> {
    /// For functions of `module`, which was not cut. `class` tells what is known of names elsewhere; a body is taken along if
    /// it has at most as many instructions as `room` gives for the number of calls that lead to it, or must be inlined.
    ///
    /// # Errors
    /// Its metadata is damaged, or it has something that is not known here.
    pub fn new(
        module: &'m BitcodeModule<'m>,
        class: &'m dyn Fn(&[u8]) -> Class,
        room: fn(u32) -> u32,
    ) -> Result<Self> {
        let mut digester = Self {
            module,
            class,
            room,
            metadata: Metadata::new(module)?,
            kinds: BTreeMap::new(),
            attached: BTreeMap::new(),
            flags: Vec::new(),
            types: vec![None; module.types().len()],
            attributes: BTreeMap::new(),
            entities: Entities::default(),
            known: BTreeMap::new(),
            lines: BTreeMap::new(),
            body: FunctionBody::default(),
            body_of: u32::MAX,
        };
        // Types contain those in front of them.
        for id in 0..digester.types.len() as u32 {
            let _ = digester.of_type(TypeId(id));
        }
        digester.read_kinds()?;
        digester.read_module()?;
        Ok(digester)
    }

    /// The digest of the function of this index among the globals.
    ///
    /// # Errors
    /// It has no body, or what can be reached from it is damaged or has something that is not known here.
    pub fn of(&mut self, function: u32) -> Result<u128> {
        let bodies = self.bodies(function)?;
        let mut walk = self.entities.walk();
        walk.text(self.module.triple());
        walk.text(self.module.data_layout());
        for flag in &self.flags {
            let number = self.entities.number(Entity::Node(*flag));
            walk.meet(number, &mut self.entities);
        }
        for (number, body) in bodies {
            let number = self.entities.number(Entity::Global(number));
            walk.meet(number, &mut self.entities);
            walk.part(&body.part, &mut self.entities);
        }
        while let Some(number) = walk.next() {
            let part = self.part(number)?;
            walk.part(&part, &mut self.entities);
        }
        Ok(xxh3_128(&walk.text))
    }

    /// The bodies that are looked into for a function, its own first.
    fn bodies(&mut self, function: u32) -> Result<Vec<(u32, Rc<Body>)>> {
        let root = self.root(function)?;
        let (mut settled, mut queue) = (BTreeSet::from([function]), VecDeque::from([(function, 0, root)]));
        let mut bodies = Vec::new();
        while let Some((number, calls, body)) = queue.pop_front() {
            bodies.push((number, Rc::clone(&body)));
            let calls = calls + 1;
            for &(callee, forced) in &body.calls {
                if !settled.contains(&callee)
                    && let Some(seen) = self.seen(callee, calls, forced)?
                {
                    settled.insert(callee);
                    queue.push_back((callee, calls, seen));
                }
            }
        }
        Ok(bodies)
    }

    /// The body of a function, whatever its size.
    fn root(&mut self, function: u32) -> Result<Rc<Body>> {
        if let Some(Known::Small(_, body)) = self.known.get(&function) {
            return Ok(Rc::clone(body));
        }
        self.read(function)?;
        let size = self.size();
        let body = Rc::new(self.of_body(function)?);
        if size <= (self.room)(1) {
            self.known.insert(function, Known::Small(size, Rc::clone(&body)));
        }
        Ok(body)
    }

    /// The body of a function that is called, if it is taken along.
    fn seen(&mut self, function: u32, calls: u32, forced: bool) -> Result<Option<Rc<Body>>> {
        let global = *self.module.globals().get(function as usize).ok_or(UNKNOWN)?;
        let attributes = self.module.attributes(global.attributes).function();
        let always = forced || attributes.has(AttributeKind::AlwaysInline);
        let never = attributes.has(AttributeKind::NoInline) && !attributes.has(AttributeKind::OptimizeNone);
        let room = (self.room)(calls);
        if !self.module.has_body(function)
            || (self.class)(self.module.name(&global)).opaque
            || !always && (never || room == 0)
        {
            return Ok(None);
        }
        let known = match self.known.get(&function) {
            Some(Known::Large) if always => return self.root(function).map(Some),
            Some(known) => known.clone(),
            None => {
                self.read(function)?;
                let size = self.size();
                if size > (self.room)(1) {
                    self.known.insert(function, Known::Large);
                    return if always { self.root(function).map(Some) } else { Ok(None) };
                }
                let known = Known::Small(size, Rc::new(self.of_body(function)?));
                self.known.insert(function, known.clone());
                known
            }
        };
        Ok(match known {
            Known::Small(size, body) if always || size <= room => Some(body),
            _ => None,
        })
    }

    fn read(&mut self, function: u32) -> Result<()> {
        let block = self.module.block(function)?;
        self.module.read_code(function, block, &mut self.body)
    }

    /// The number of instructions of the body that was read, as LLVM counts: statements about variables are none.
    fn size(&self) -> u32 {
        let body = &self.body;
        let is_statement = |instruction: &&crate::Instruction| {
            body.call(instruction)
                .is_some_and(|call| self.callee(&call).is_some_and(|callee| self.is_statement(callee)))
        };
        (body.instructions.len() - body.instructions.iter().filter(is_statement).count()) as u32
    }

    fn is_statement(&self, function: u32) -> bool {
        self.module.name(&self.module.globals()[function as usize]).starts_with(b"llvm.dbg.")
    }

    /// The function that is called, if it is known.
    fn callee(&self, call: &crate::Call<'_>) -> Option<u32> {
        let number = call.callee.0;
        let global = self.module.globals().get(number as usize)?;
        (global.kind == GlobalKind::Function).then_some(number)
    }

    /// The part of the entity of this number.
    fn part(&mut self, number: u32) -> Result<Rc<Part>> {
        if let Some(part) = self.entities.known(number) {
            return Ok(Rc::clone(part));
        }
        let part = Rc::new(match self.entities.entity(number) {
            Entity::Global(number) => self.of_global(number)?,
            Entity::Constant(value) => self.of_constant(value)?,
            Entity::Node(number) => self.of_node(number)?,
            // Those that were referred to were made with the body.
            Entity::Own(..) => return Err(UNKNOWN),
        });
        self.entities.keep(number, Rc::clone(&part));
        Ok(part)
    }

    /// A type by what it is made of.
    fn of_type(&mut self, id: TypeId) -> Result<u128> {
        if let Some(known) = self.types.get(id.0 as usize).copied().flatten() {
            return Ok(known);
        }
        let digest = self.read_type(id)?;
        *self.types.get_mut(id.0 as usize).ok_or(UNKNOWN)? = Some(digest);
        Ok(digest)
    }
}

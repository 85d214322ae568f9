//! Where in the source code is from: digests of that, apart from those of the code, and from the numbers of lines. Two functions
//! that have the same digest are from lines that correspond, one to one, in the order of [`Place::lines`].

use std::collections::BTreeMap;
use std::rc::Rc;

use super::part::Text;
use super::{Digester, UNKNOWN};
use crate::{DebugLocation, File, FunctionBody, Inst, Result, ScopeKind};

/// How many scopes are walked outwards at most, and how many times a location may have been inlined.
const NESTING: usize = 1000;

/// The lines of a function, and of all that may be inlined into it.
#[derive(Clone, Debug)]
pub struct Lines<'m> {
    /// Of all but the numbers of lines.
    pub digest: u128,
    bodies: Vec<Rc<BodyLines<'m>>>,
}

impl<'m> Lines<'m> {
    /// The places that the code is from: as many, in the same order, with as many lines, wherever the digest is the same.
    pub fn places(&self) -> impl Iterator<Item = &Place<'m>> + Clone {
        self.bodies.iter().flat_map(|body| &body.places)
    }
}

/// Lines of one function of the source in one file. A digest says which of them something is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'m> {
    /// The file.
    pub file: File<'m>,
    /// The lines, each once, as they were met.
    pub lines: Vec<u32>,
}

/// The lines of a body.
#[derive(Debug)]
pub(super) struct BodyLines<'m> {
    digest: u128,
    places: Vec<Place<'m>>,
}

/// The same in the making.
#[derive(Default)]
struct Said<'m> {
    text: Text,
    places: Vec<Place<'m>>,
    /// Numbers of places, by function and file.
    numbers: BTreeMap<(u32, u32), usize>,
    /// Which of a place's lines a line is.
    lines: BTreeMap<(usize, u32), u32>,
    /// The scopes that were said: the number of each, and the place of what is directly in it.
    scopes: BTreeMap<u32, (usize, usize)>,
}

impl Said<'_> {
    /// Says a line; 0 is none.
    fn line(&mut self, place: usize, line: u32) {
        self.text.flag(line != 0);
        if line != 0 {
            let lines = &mut self.places[place].lines;
            let new = lines.len() as u32;
            let number = *self.lines.entry((place, line)).or_insert(new);
            if number == new {
                lines.push(line);
            }
            self.text.number(number);
        }
    }
}

impl<'m> Digester<'m> {
    /// The lines of the function of this index among the globals, and of all that may be inlined into it: of code that has the
    /// same [digest](Self::of), they tell whether it is from the same lines, too, but for their numbers.
    ///
    /// # Errors
    /// As there, or what is said of its lines is damaged.
    pub fn lines_of(&mut self, function: u32) -> Result<Lines<'m>> {
        let (mut text, mut bodies) = (Text::default(), Vec::new());
        for (number, body) in self.bodies(function)? {
            let lines = match self.lines.get(&number) {
                Some(known) => Rc::clone(known),
                None => {
                    let lines = Rc::new(self.read_lines(number, body.subprogram)?);
                    self.lines.insert(number, Rc::clone(&lines));
                    lines
                }
            };
            text.wide(lines.digest);
            bodies.push(lines);
        }
        Ok(Lines { digest: text.digest(), bodies })
    }

    fn read_lines(&mut self, number: u32, subprogram: u32) -> Result<BodyLines<'m>> {
        let (block, mut said) = (self.module.block(number)?, Said::default());
        let mut body = std::mem::take(&mut self.body);
        let result = self.module.read_block(number, block, &mut body).and_then(|()| {
            self.metadata.enter_block(&body, block)?;
            self.body_of = number;
            self.say_lines(&body, subprogram, &mut said)
        });
        self.body = body;
        result?;
        Ok(BodyLines { digest: said.text.digest(), places: said.places })
    }

    fn say_lines(&mut self, body: &FunctionBody, subprogram: u32, said: &mut Said<'m>) -> Result<()> {
        // Code begins with the line of its function, whatever instructions say.
        if subprogram != 0 {
            self.say_scope(subprogram, said)?;
        }
        for number in 0..body.instructions.len() as u32 {
            match body.location(Inst(number)).copied() {
                None => said.text.tag(0),
                Some(location) => self.say_location(location, said)?,
            }
        }
        said.text.tag(2);
        Ok(())
    }

    fn say_location(&mut self, mut location: DebugLocation, said: &mut Said<'m>) -> Result<()> {
        for _ in 0..NESTING {
            said.text.tag(1);
            let place = self.say_scope(location.scope, said)?;
            said.line(place, location.line);
            said.text.number(location.column);
            said.text.flag(location.implicit);
            if location.inlined_at == 0 {
                said.text.tag(0);
                return Ok(());
            }
            location = self.metadata.location(location.inlined_at)?;
        }
        Err(UNKNOWN)
    }

    /// Says which scope it is, the first time with all that it is in, as far as that is in a function. Returns the place of
    /// what is directly in it.
    fn say_scope(&mut self, number: u32, said: &mut Said<'m>) -> Result<usize> {
        let new = said.scopes.len();
        if let Some((known, place)) = said.scopes.get(&number).copied() {
            said.text.number(known as u64);
            return Ok(place);
        }
        said.text.number(new as u64);
        let (mut scopes, mut next) = (Vec::new(), number);
        let owner = loop {
            let scope = self.metadata.scope(next)?;
            scopes.push(scope);
            if scope.kind != ScopeKind::Block {
                break next;
            }
            next = scope.parent;
            if scopes.len() > NESTING {
                return Err(UNKNOWN);
            }
        };
        let mut inner = 0;
        for scope in scopes.iter().rev() {
            inner = self.say_place(owner, scope.file, said)?;
            said.text.tag(scope.kind as u8);
            said.line(inner, scope.line);
            said.line(inner, scope.body_line);
            said.text.number(scope.column);
            said.text.string(scope.name);
            said.text.string(scope.linkage_name);
        }
        said.text.tag(b'.');
        said.scopes.insert(number, (new, inner));
        Ok(inner)
    }

    /// Says which place it is, the first time with the file's name.
    fn say_place(&mut self, owner: u32, file: u32, said: &mut Said<'m>) -> Result<usize> {
        let new = said.places.len();
        let number = *said.numbers.entry((owner, file)).or_insert(new);
        said.text.number(number as u64);
        if number == new {
            let file =
                if file == 0 { File { name: &[], directory: &[] } } else { self.metadata.file(file)? };
            said.text.string(file.name);
            said.text.string(file.directory);
            said.places.push(Place { file, lines: Vec::new() });
        }
        Ok(number)
    }
}

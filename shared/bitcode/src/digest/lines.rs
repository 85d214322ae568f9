//! Where in the source code is from: digests of that, apart from those of the code.

use super::part::Text;
use super::{Digester, UNKNOWN};
use crate::{DebugLocation, FunctionBody, Inst, Result, ScopeKind};

/// How many scopes are walked outwards at most, and how many times a location may have been inlined.
const NESTING: usize = 1000;

impl Digester<'_> {
    /// The digest of the lines of the function of this index among the globals, and of all that may be inlined into it: of
    /// code that has the same [digest](Self::of), it tells whether its lines are the same, too.
    ///
    /// # Errors
    /// As there, or what is said of its lines is damaged.
    pub fn lines_of(&mut self, function: u32) -> Result<u128> {
        let mut text = Text::default();
        for (number, _) in self.bodies(function)? {
            if let Some(known) = self.lines.get(&number) {
                text.wide(*known);
                continue;
            }
            let (block, mut own) = (self.module.block(number)?, Text::default());
            // Other functions have others with these numbers.
            for scope in self.own_scopes.drain(..) {
                self.scopes.remove(&scope);
            }
            let mut body = std::mem::take(&mut self.body);
            let result = self.module.read_block(number, block, &mut body).and_then(|()| {
                self.metadata.enter_block(&body, block)?;
                self.body_of = number;
                self.say_lines(&body, &mut own)
            });
            self.body = body;
            result?;
            self.lines.insert(number, own.digest());
            text.wide(own.digest());
        }
        Ok(text.digest())
    }

    fn say_lines(&mut self, body: &FunctionBody, text: &mut Text) -> Result<()> {
        for number in 0..body.instructions.len() as u32 {
            match body.location(Inst(number)).copied() {
                None => text.tag(0),
                Some(location) => self.say_location(location, text)?,
            }
        }
        text.tag(2);
        Ok(())
    }

    fn say_location(&mut self, mut location: DebugLocation, text: &mut Text) -> Result<()> {
        for _ in 0..NESTING {
            text.tag(1);
            text.number(location.line);
            text.number(location.column);
            text.flag(location.implicit);
            let scope = self.scope(location.scope)?;
            text.wide(scope);
            if location.inlined_at == 0 {
                text.tag(0);
                return Ok(());
            }
            location = self.metadata.location(location.inlined_at)?;
        }
        Err(UNKNOWN)
    }

    /// A scope with all that it is in, as far as that is in a function.
    fn scope(&mut self, number: u32) -> Result<u128> {
        if let Some(known) = self.scopes.get(&number) {
            return Ok(*known);
        }
        let is_own = self.metadata.is_own(number);
        let (mut text, mut next) = (Text::default(), number);
        for _ in 0..NESTING {
            if next == 0 {
                break;
            }
            let scope = self.metadata.scope(next)?;
            text.tag(scope.kind as u8);
            text.number(scope.line);
            text.string(scope.name);
            text.string(scope.linkage_name);
            if scope.file != 0 {
                let file = self.metadata.file(scope.file)?;
                text.string(file.name);
                text.string(file.directory);
            }
            next = if scope.kind == ScopeKind::Block { scope.parent } else { 0 };
        }
        let digest = text.digest();
        self.scopes.insert(number, digest);
        if is_own {
            self.own_scopes.push(number);
        }
        Ok(digest)
    }
}

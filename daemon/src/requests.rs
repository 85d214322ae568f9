//! What clients wait for: each function of a module once, however many ask for it.

use std::collections::{BTreeMap, VecDeque};

use autojit_protocol::Scope;

use crate::clients::ClientId;
use crate::job::{CodeKey, Functions};

/// The number of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(u64);

/// What is to be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Of which module.
    pub code_key: CodeKey,
    /// Which functions.
    pub what: Scope,
    /// The stack map of a continuation.
    pub map: Vec<u8>,
}

/// Something that clients wait for.
#[derive(Debug)]
pub struct Request {
    /// What they wait for.
    pub wanted: Wanted,
    /// Whether the result goes to the cache.
    pub keep: bool,
    /// The program that asked first.
    pub program: String,
    /// The clients that wait.
    pub clients: Vec<ClientId>,
    /// Whether what belongs with the function is left out: a compiler has died of it.
    pub alone: bool,
}

/// All requests.
#[derive(Debug, Default)]
pub struct Requests {
    open: BTreeMap<RequestId, Request>,
    /// Those that no compiler has yet.
    queue: VecDeque<RequestId>,
    last: u64,
}

impl Requests {
    /// A request by its number.
    pub fn get(&self, id: RequestId) -> Option<&Request> {
        self.open.get(&id)
    }

    /// Adds a request behind all others.
    pub fn add(&mut self, request: Request) -> RequestId {
        self.last += 1;
        let id = RequestId(self.last);
        self.open.insert(id, request);
        self.queue.push_back(id);
        id
    }

    /// Lets a client wait for the same as another one, if there is such a request.
    pub fn join(&mut self, client: ClientId, wanted: &Wanted) -> Option<RequestId> {
        let (id, request) = self.open.iter_mut().find(|(_, request)| request.wanted == *wanted)?;
        request.clients.push(client);
        Some(*id)
    }

    /// Forgets that a client waits. A request without clients is not begun.
    pub fn leave(&mut self, client: ClientId) {
        for request in self.open.values_mut() {
            request.clients.retain(|waiting| *waiting != client);
        }
        let open = &mut self.open;
        self.queue.retain(|id| {
            let wanted = open.get(id).is_some_and(|request| !request.clients.is_empty());
            if !wanted {
                open.remove(id);
            }
            wanted
        });
    }

    /// The next request without a compiler.
    pub fn first(&mut self) -> Option<(RequestId, &Request)> {
        while let Some(id) = self.queue.front().copied() {
            if self.open.contains_key(&id) {
                return Some((id, &self.open[&id]));
            }
            self.queue.pop_front();
        }
        None
    }

    /// Takes the next request from the queue: a compiler has it now.
    pub fn begin_first(&mut self) {
        self.queue.pop_front();
    }

    /// Has a function compiled once more, before all others and without what belongs with it. False if that was tried, or
    /// there is nothing to leave out.
    pub fn retry_alone(&mut self, id: RequestId) -> bool {
        let Some(request) = self.open.get_mut(&id) else { return false };
        if request.alone || matches!(request.wanted.what, Scope::Everything | Scope::Continuation(_)) {
            return false;
        }
        request.alone = true;
        self.queue.push_front(id);
        true
    }

    /// Removes a request that is answered.
    pub fn finish(&mut self, id: RequestId) -> Option<Request> {
        self.open.remove(&id)
    }

    /// Those without a compiler that one of these functions of a module answers.
    pub fn answered_by(&self, code_key: CodeKey, functions: &Functions) -> Vec<RequestId> {
        let answered = |request: &Request| {
            request.wanted.code_key == code_key
                && matches!(request.wanted.what, Scope::Function(index) if functions.contains(index))
        };
        let queue = self.queue.iter().copied();
        queue.filter(|id| self.open.get(id).is_some_and(answered)).collect()
    }

    /// The functions of a module that clients wait for.
    pub fn functions_of(&self, code_key: CodeKey) -> impl Iterator<Item = u32> + '_ {
        let of = self.open.values().filter(move |request| request.wanted.code_key == code_key);
        of.filter_map(|request| request.wanted.what.function())
    }

    /// How many have no compiler.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIANT: CodeKey = CodeKey { key: [1; 32], level: -1 };

    fn request(what: Scope, client: u64) -> Request {
        let clients = vec![ClientId::for_tests(client)];
        Request { wanted: wanted(what), keep: true, program: "p".into(), clients, alone: false }
    }

    fn wanted(what: Scope) -> Wanted {
        Wanted { code_key: VARIANT, what, map: Vec::new() }
    }

    #[test]
    fn requests_for_the_same_are_shared() {
        let mut requests = Requests::default();
        let id = requests.add(request(Scope::Function(3), 1));
        assert_eq!(requests.join(ClientId::for_tests(2), &wanted(Scope::Function(3))), Some(id));
        assert_eq!(requests.join(ClientId::for_tests(2), &wanted(Scope::Function(4))), None);
        let other = Wanted { map: vec![1], ..wanted(Scope::Function(3)) };
        assert_eq!(requests.join(ClientId::for_tests(2), &other), None);
        assert_eq!(requests.queued(), 1);
        assert_eq!(requests.finish(id).map(|request| request.clients.len()), Some(2));
        assert!(requests.first().is_none() && requests.is_empty());
    }

    #[test]
    fn requests_without_clients_are_not_begun() {
        let mut requests = Requests::default();
        let (first, second) =
            (requests.add(request(Scope::Function(3), 1)), requests.add(request(Scope::Function(4), 2)));
        requests.leave(ClientId::for_tests(1));
        assert!(requests.get(first).is_none());
        assert_eq!(requests.first().map(|(id, _)| id), Some(second));
        // One that a compiler has is kept: its result is of use to the next client.
        requests.begin_first();
        requests.leave(ClientId::for_tests(2));
        assert!(requests.get(second).is_some_and(|request| request.clients.is_empty()));
    }

    #[test]
    fn functions_are_tried_alone_once_and_first() {
        let mut requests = Requests::default();
        let id = requests.add(request(Scope::Function(3), 1));
        requests.begin_first();
        let everything = requests.add(request(Scope::Everything, 2));
        assert!(requests.retry_alone(id) && !requests.retry_alone(id) && !requests.retry_alone(everything));
        assert_eq!(requests.first().map(|(id, request)| (id, request.alone)), Some((id, true)));
    }

    #[test]
    fn one_object_answers_all_that_wait_for_its_functions() {
        let mut requests = Requests::default();
        let ids: Vec<_> = (0..3).map(|index| requests.add(request(Scope::Function(index), 1))).collect();
        let mut functions = Functions::default();
        [0, 2].iter().for_each(|index| functions.insert(*index));
        assert_eq!(requests.answered_by(VARIANT, &functions), [ids[0], ids[2]]);
        assert!(requests.answered_by(CodeKey { level: 2, ..VARIANT }, &functions).is_empty());
        assert_eq!(requests.functions_of(VARIANT).collect::<Vec<_>>(), [0, 1, 2]);
    }
}

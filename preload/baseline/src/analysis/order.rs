//! The order in which blocks are emitted: reverse post-order with the blocks of each loop next to each other, and the
//! loops as ranges of positions in it.
//!
//! Loops are found with Havlak's algorithm (headers from the innermost outwards, bodies collapsed by union-find), in
//! time almost linear in the number of edges. In graphs that are not reducible a loop may be found smaller than it is;
//! [`Order::loops`] is made from the edges that lead backwards in the final order, so what it says holds in any graph.

/// Not a block, not a position, not a loop.
pub(crate) const NONE: u32 = u32::MAX;

/// A range of positions that an edge leads back over: from the target to the last source. Ranges are nested or apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loop {
    /// The first position: the header.
    pub first: u32,
    /// The last position.
    pub last: u32,
    /// The loop around it, or [`NONE`].
    pub parent: u32,
}

/// The order of the blocks of a function.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Position -> block.
    pub blocks: Vec<u32>,
    /// Block -> position, [`NONE`] for those that cannot be reached.
    pub positions: Vec<u32>,
    /// The loops, outer ones first.
    pub loops: Vec<Loop>,
    /// Position -> innermost loop, or [`NONE`].
    pub innermost: Vec<u32>,
    /// Position -> number of edges that lead there.
    pub predecessors: Vec<u32>,
}

impl Order {
    /// The order of `count` blocks of which 0 is the entry.
    pub(crate) fn of<'a, I>(count: usize, successors: impl Fn(u32) -> I) -> Self
    where
        I: Iterator<Item = u32> + 'a,
    {
        let (walk, pairs) = Walk::new(count, &successors);
        if !walk.has_loops {
            // Most functions: reverse post-order is all.
            let blocks: Vec<u32> = walk.finished.into_iter().rev().collect();
            let mut positions = vec![NONE; count];
            for (position, &block) in blocks.iter().enumerate() {
                positions[block as usize] = position as u32;
            }
            let mut order = Self { blocks, positions, ..Self::default() };
            order.find_loops(&successors);
            return order;
        }
        let walk = walk.with_edges(pairs);
        let headers = walk.headers();
        let (blocks, positions) = (Vec::with_capacity(count), vec![NONE; count]);
        let mut order = Self { blocks, positions, ..Self::default() };
        order.group(&walk, &headers);
        order.find_loops(&successors);
        order
    }

    /// Lists the blocks in reverse post-order, but each loop as a whole where its header is.
    fn group(&mut self, walk: &Walk, headers: &Headers) {
        let count = headers.header.len();
        // Block lists by container: the loop of that header, or the function (index `count`).
        let (mut first, mut next, mut last) =
            (vec![NONE; count + 1], vec![NONE; count], vec![NONE; count + 1]);
        for &block in walk.finished.iter().rev() {
            let header = headers.header[block as usize];
            let container = if header == NONE { count } else { header as usize };
            match last[container] {
                NONE => first[container] = block,
                before => next[before as usize] = block,
            }
            last[container] = block;
        }
        let mut stack = vec![first[count]];
        while let Some(block) = stack.pop() {
            if block == NONE {
                continue;
            }
            self.positions[block as usize] = self.blocks.len() as u32;
            self.blocks.push(block);
            stack.push(next[block as usize]);
            stack.push(first[block as usize]);
        }
    }

    /// Makes ranges of the edges that lead backwards, merges what overlaps, and nests them.
    fn find_loops<I: Iterator<Item = u32>>(&mut self, successors: &impl Fn(u32) -> I) {
        let count = self.blocks.len();
        self.predecessors = vec![0; count];
        let mut ends = vec![NONE; count];
        for (position, &block) in self.blocks.iter().enumerate() {
            for target in successors(block) {
                let target = self.positions[target as usize];
                if target == NONE {
                    continue;
                }
                self.predecessors[target as usize] += 1;
                if target as usize <= position {
                    ends[target as usize] = position as u32;
                }
            }
        }
        self.innermost = vec![NONE; count];
        let mut open: Vec<u32> = Vec::new();
        for position in 0..count as u32 {
            while let Some(&inner) = open.last()
                && self.loops[inner as usize].last < position
            {
                open.pop();
            }
            let end = ends[position as usize];
            if end != NONE {
                // What reaches beyond an open loop keeps that open too.
                for &outer in &open {
                    let outer = &mut self.loops[outer as usize];
                    outer.last = outer.last.max(end);
                }
                let parent = open.last().copied().unwrap_or(NONE);
                open.push(self.loops.len() as u32);
                self.loops.push(Loop { first: position, last: end, parent });
            }
            self.innermost[position as usize] = open.last().copied().unwrap_or(NONE);
        }
    }

    /// Whether an edge leads back to a position.
    pub(crate) fn begins_loop(&self, position: u32) -> bool {
        let innermost = self.innermost.get(position as usize).copied().unwrap_or(NONE);
        self.loops.get(innermost as usize).is_some_and(|inner| inner.first == position)
    }

    /// The number of loops around a position.
    #[cfg(test)]
    pub(crate) fn depth(&self, position: u32) -> u32 {
        let mut depth = 0;
        let mut at = self.innermost.get(position as usize).copied().unwrap_or(NONE);
        while let Some(inner) = self.loops.get(at as usize) {
            depth += 1;
            at = inner.parent;
        }
        depth
    }
}

/// A depth-first walk from the entry.
struct Walk {
    /// Blocks in the order in which they were left.
    finished: Vec<u32>,
    /// Blocks in the order in which they were entered.
    entered: Vec<u32>,
    /// Block -> number in `entered`, [`NONE`] if not reached.
    number: Vec<u32>,
    /// Number in `entered` -> the greatest such number below it in the tree.
    last_below: Vec<u32>,
    /// Whether an edge leads to a block that is still open.
    has_loops: bool,
    /// Predecessors by block: `edges[starts[b]..starts[b + 1]]`.
    starts: Vec<u32>,
    edges: Vec<u32>,
}

/// In [`Walk::last_below`], until the block is left.
const OPEN: u32 = u32::MAX;

/// What is known of the loops of the graph.
struct Headers {
    /// Block -> header of the innermost loop around it, not itself; [`NONE`] if there is none.
    header: Vec<u32>,
}

impl Walk {
    /// The walk, and the edges that it met: source and target.
    fn new<'a, I: Iterator<Item = u32> + 'a>(
        count: usize,
        successors: &impl Fn(u32) -> I,
    ) -> (Self, Vec<(u32, u32)>) {
        let mut walk = Self {
            finished: Vec::with_capacity(count),
            entered: Vec::with_capacity(count),
            number: vec![NONE; count],
            last_below: vec![OPEN; count],
            has_loops: false,
            starts: Vec::new(),
            edges: Vec::new(),
        };
        let mut stack = Vec::new();
        if count > 0 {
            walk.number[0] = 0;
            walk.entered.push(0);
            stack.push((0, successors(0)));
        }
        let mut pairs = Vec::with_capacity(count * 2);
        while let Some((block, rest)) = stack.last_mut() {
            if let Some(target) = rest.next() {
                pairs.push((*block, target));
                if walk.number[target as usize] == NONE {
                    walk.number[target as usize] = walk.entered.len() as u32;
                    walk.entered.push(target);
                    stack.push((target, successors(target)));
                } else if walk.last_below[walk.number[target as usize] as usize] == OPEN {
                    walk.has_loops = true;
                }
            } else {
                let number = walk.number[*block as usize];
                walk.last_below[number as usize] = walk.entered.len() as u32 - 1;
                walk.finished.push(*block);
                stack.pop();
            }
        }
        (walk, pairs)
    }

    /// Lists the predecessors of each block.
    fn with_edges(mut self, pairs: Vec<(u32, u32)>) -> Self {
        self.starts = vec![0; self.number.len() + 2];
        for (_, target) in &pairs {
            self.starts[*target as usize + 2] += 1;
        }
        for index in 2..self.starts.len() {
            self.starts[index] += self.starts[index - 1];
        }
        self.edges = vec![0; pairs.len()];
        for (source, target) in pairs {
            let place = &mut self.starts[target as usize + 1];
            self.edges[*place as usize] = source;
            *place += 1;
        }
        self
    }

    fn predecessors(&self, block: u32) -> &[u32] {
        let (start, end) = (self.starts[block as usize], self.starts[block as usize + 1]);
        &self.edges[start as usize..end as usize]
    }

    /// Whether `below` was entered while `above` was open.
    fn is_below(&self, above: u32, below: u32) -> bool {
        let (above, below) = (self.number[above as usize], self.number[below as usize]);
        above <= below && below <= self.last_below[above as usize]
    }

    fn headers(&self) -> Headers {
        let count = self.number.len();
        let mut header = vec![NONE; count];
        let mut collapsed: Vec<u32> = (0..count as u32).collect();
        let (mut body, mut seen) = (Vec::new(), vec![NONE; count]);
        for &candidate in self.entered.iter().rev() {
            body.clear();
            for &source in self.predecessors(candidate) {
                if self.is_below(candidate, source) {
                    let source = find(&mut collapsed, source);
                    if source != candidate && seen[source as usize] != candidate {
                        seen[source as usize] = candidate;
                        body.push(source);
                    }
                }
            }
            let mut done = 0;
            while let Some(&block) = body.get(done) {
                done += 1;
                for &source in self.predecessors(block) {
                    let source = find(&mut collapsed, source);
                    // What is not below the candidate enters the loop elsewhere: not reducible, left outside.
                    let inside = source != candidate && self.is_below(candidate, source);
                    if inside && seen[source as usize] != candidate {
                        seen[source as usize] = candidate;
                        body.push(source);
                    }
                }
            }
            for &block in &body {
                header[block as usize] = candidate;
                collapsed[block as usize] = candidate;
            }
        }
        Headers { header }
    }
}

/// The block that `block` was collapsed into; shortens the way there.
fn find(collapsed: &mut [u32], mut block: u32) -> u32 {
    while collapsed[block as usize] != block {
        let up = collapsed[collapsed[block as usize] as usize];
        collapsed[block as usize] = up;
        block = up;
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(edges: &[&[u32]]) -> Order {
        Order::of(edges.len(), |block| edges[block as usize].iter().copied())
    }

    #[test]
    fn loops_are_contiguous() {
        // 0 -> 1 (header) -> 2 (body) or 3 (exit); 2 -> 1. Whichever successor comes first, the exit is last.
        for header in [[2, 3], [3, 2]] {
            let order = order(&[&[1], &header, &[1], &[]]);
            assert_eq!(order.blocks, [0, 1, 2, 3]);
            assert_eq!(order.loops, [Loop { first: 1, last: 2, parent: NONE }]);
            assert_eq!(order.innermost, [NONE, 0, 0, NONE]);
            assert_eq!(order.predecessors, [0, 2, 1, 1]);
        }
    }

    #[test]
    fn loops_are_nested() {
        // 0 -> 1 -> 2 -> 2 | 3; 3 -> 1 | 4; 5 is not reached.
        let order = order(&[&[1], &[2], &[2, 3], &[1, 4], &[], &[4]]);
        assert_eq!(order.blocks, [0, 1, 2, 3, 4]);
        assert_eq!(order.positions[5], NONE);
        let (outer, inner) = (order.loops[0], order.loops[1]);
        assert_eq!((outer.first, outer.last, outer.parent), (1, 3, NONE));
        assert_eq!((inner.first, inner.last, inner.parent), (2, 2, 0));
        assert_eq!(order.depth(2), 2);
    }

    #[test]
    fn graphs_that_are_not_reducible_have_nested_ranges() {
        // Two entries into the cycle of 1 and 2.
        let order = order(&[&[1, 2], &[2, 3], &[1, 3], &[]]);
        assert_eq!(order.blocks.len(), 4);
        assert_eq!(order.loops.len(), 1);
        assert_eq!((order.loops[0].first, order.loops[0].last), (1, 2));
    }

    #[test]
    fn graphs_without_loops_are_in_reverse_post_order() {
        // A diamond, with an edge across and a block that is not reached; then the same with a loop behind it.
        let plain: &[&[u32]] = &[&[1, 2], &[3], &[1, 3], &[4], &[], &[3]];
        let looped: &[&[u32]] = &[&[1, 2], &[3], &[1, 3], &[4], &[4], &[3]];
        for edges in [plain, looped] {
            let order = order(edges);
            assert_eq!(order.blocks, [0, 2, 1, 3, 4]);
            assert_eq!(order.positions, [0, 2, 1, 3, 4, NONE]);
            assert_eq!(order.predecessors[..4], [0, 1, 2, 2]);
        }
        assert_eq!(order(plain).loops, []);
        assert_eq!(order(looped).loops, [Loop { first: 4, last: 4, parent: NONE }]);
    }

    #[test]
    fn a_long_chain_takes_no_recursion() {
        let order = Order::of(100_000, |block| (block + 1 < 100_000).then_some(block + 1).into_iter());
        assert_eq!(order.blocks.len(), 100_000);
    }
}

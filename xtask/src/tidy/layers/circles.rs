//! Circles of a graph: the groups of nodes that reach each other.

use std::collections::{BTreeMap, BTreeSet};

/// The strongly connected components of more than one node, each ascending, in the order of their first nodes.
///
/// A node reaches itself, so two nodes are in one component if each is among those that the other reaches. That is
/// quadratic, and quick enough for the files of a crate.
pub(super) fn circles(edges: &BTreeMap<usize, BTreeSet<usize>>) -> Vec<Vec<usize>> {
    let reached: BTreeMap<usize, BTreeSet<usize>> = edges
        .keys()
        .map(|&node| (node, reached(edges, node)))
        .collect();
    let reaches = |from: &usize, to: &usize| reached.get(from).is_some_and(|all| all.contains(to));
    let mut found: Vec<Vec<usize>> = Vec::new();
    for (node, all) in &reached {
        let is_known = found.iter().any(|circle| circle.contains(node));
        let circle: BTreeSet<usize> = all
            .iter()
            .filter(|other| reaches(other, node))
            .chain([node])
            .copied()
            .collect();
        if circle.len() > 1 && !is_known {
            found.push(circle.into_iter().collect());
        }
    }
    found
}

fn reached(edges: &BTreeMap<usize, BTreeSet<usize>>, start: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(node) = open.pop() {
        for &next in edges.get(&node).into_iter().flatten() {
            if reached.insert(next) {
                open.push(next);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::circles;

    fn found(edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
        let mut graph: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for &(from, to) in edges {
            graph.entry(from).or_default().insert(to);
        }
        circles(&graph)
    }

    #[test]
    fn what_only_leads_on_is_no_circle() {
        assert_eq!(
            found(&[(1, 2), (1, 3), (2, 4), (3, 4)]),
            [] as [Vec<usize>; 0]
        );
        assert_eq!(found(&[(1, 1)]), [] as [Vec<usize>; 0]);
    }

    #[test]
    fn nodes_that_reach_each_other_through_others_are_one_circle() {
        assert_eq!(
            found(&[(1, 2), (2, 3), (3, 1), (3, 4), (0, 1)]),
            [[1, 2, 3]]
        );
    }

    #[test]
    fn circles_that_do_not_touch_are_told_apart() {
        assert_eq!(
            found(&[(1, 2), (2, 1), (3, 4), (4, 3), (2, 3)]),
            [[1, 2], [3, 4]]
        );
    }

    #[test]
    fn two_circles_through_one_node_are_one() {
        assert_eq!(found(&[(1, 2), (2, 1), (2, 3), (3, 2)]), [[1, 2, 3]]);
    }
}

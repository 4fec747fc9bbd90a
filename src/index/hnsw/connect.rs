//! Makes every node of layer 0 reachable from node 0, where every walk starts beside its own entry.
//!
//! Neighbour selection may leave a node that nothing points at: many equal rows do, since they are
//! taken once. Such a node is linked from the nearest reachable node that has a place free; where
//! none has, it takes the place of that node's last link and passes it on, so nothing is lost.

use super::build::LayerBuilder;
use super::links::NONE;
use crate::index::space::Space;

/// Links every unreachable node, in the order of positions.
pub(super) fn reach_all<S: Space>(builder: &LayerBuilder<'_, S>, links: &mut [u32]) {
    let n = builder.nodes.len();
    let entry = 0;
    let mut reached = vec![false; n];
    spread(builder, links, entry, &mut reached);
    let mut scratch = builder.scratch();
    let mut found = Vec::new();
    for node in 0..n as u32 {
        if reached[node as usize] {
            continue;
        }
        builder.candidates(builder.view(links), entry, node, builder.ef, &mut scratch, &mut found);
        let hosts: Vec<u32> = found.iter().map(|c| c.id).filter(|&c| reached[c as usize]).collect();
        let free = hosts.iter().copied().find(|&h| builder.row_of(links, h).last() == Some(&NONE));
        match free {
            Some(host) => {
                if let Some(place) = builder.row_of(links, host).iter_mut().find(|p| **p == NONE) {
                    *place = node;
                }
            }
            None => {
                let host = hosts.first().copied().unwrap_or(entry);
                let Some(last) = builder.row_of(links, host).last_mut() else { continue };
                let passed_on = std::mem::replace(last, node);
                let own = builder.row_of(links, node);
                let place = own.iter().position(|&p| p == NONE || p == passed_on).unwrap_or(own.len() - 1);
                own[place] = passed_on;
            }
        }
        spread(builder, links, node, &mut reached);
    }
}

/// Marks everything reachable from a node.
fn spread<S: Space>(builder: &LayerBuilder<'_, S>, links: &[u32], from: u32, reached: &mut [bool]) {
    let view = builder.view(links);
    reached[from as usize] = true;
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        for &next in view.neighbors(node) {
            if !std::mem::replace(&mut reached[next as usize], true) {
                open.push(next);
            }
        }
    }
}

// The scores of four queries and four keys by a quad whose attention is disentangled: (Q Kᵀ + Q Pkᵀ + K Pqᵀ) · scale (He et
// al. 2021, arXiv 2006.03654), with the rows of P that belong to how far the tokens are apart.
//
// Sixteen pairs of tokens have seven distances. So that these are the same in all invocations, each keeps its parts of the
// queries in the order of the rows, and finds its own one among the scores.

// The row of a quad's query that each of its invocations keeps a part of: all in the same order.
fn query_row(first: u32, lane: u32, at: u32, last: u32) -> u32 {
    return min(first + at, last);
}

// The parts of Pk and of Pq · scale for a distance.
struct PairPositions {
    key: HeadPart,
    query: HeadPart,
}

fn pair_positions(distance: u32, lane: u32, head: u32) -> PairPositions {
    let at = position_at(distance, head) + lane;
    return PairPositions(position_part(at), position_part(at + HEAD_VECTORS));
}

fn pair_score(query: HeadPart, key: HeadPart, positions: PairPositions) -> f32 {
    return part_dot(query, key + positions.key) + part_dot(key, positions.query);
}

// Of four, the one that an invocation needs.
fn choose(at: u32, of0: vec4<f32>, of1: vec4<f32>, of2: vec4<f32>, of3: vec4<f32>) -> vec4<f32> {
    let low = select(of0, of1, (at & 1) == 1);
    let high = select(of2, of3, (at & 1) == 1);
    return select(low, high, (at & 2) == 2);
}

// The scores of an invocation's own query, which is scaled.
fn quad_scores(
    lane: u32,
    query0: HeadPart,
    query1: HeadPart,
    query2: HeadPart,
    query3: HeadPart,
    key0: HeadPart,
    key1: HeadPart,
    key2: HeadPart,
    key3: HeadPart,
    first_query: u32,
    first_key: u32,
    head: u32,
) -> vec4<f32> {
    let at = first_query + params.here - first_key;
    var scores0: vec4<f32>;
    var scores1: vec4<f32>;
    var scores2: vec4<f32>;
    var scores3: vec4<f32>;
    var positions_at: PairPositions;
    positions_at = pair_positions(at - 3, lane, head);
    scores0.w = pair_score(query0, key3, positions_at);
    positions_at = pair_positions(at - 2, lane, head);
    scores0.z = pair_score(query0, key2, positions_at);
    scores1.w = pair_score(query1, key3, positions_at);
    positions_at = pair_positions(at - 1, lane, head);
    scores0.y = pair_score(query0, key1, positions_at);
    scores1.z = pair_score(query1, key2, positions_at);
    scores2.w = pair_score(query2, key3, positions_at);
    positions_at = pair_positions(at, lane, head);
    scores0.x = pair_score(query0, key0, positions_at);
    scores1.y = pair_score(query1, key1, positions_at);
    scores2.z = pair_score(query2, key2, positions_at);
    scores3.w = pair_score(query3, key3, positions_at);
    positions_at = pair_positions(at + 1, lane, head);
    scores1.x = pair_score(query1, key0, positions_at);
    scores2.y = pair_score(query2, key1, positions_at);
    scores3.z = pair_score(query3, key2, positions_at);
    positions_at = pair_positions(at + 2, lane, head);
    scores2.x = pair_score(query2, key0, positions_at);
    scores3.y = pair_score(query3, key1, positions_at);
    positions_at = pair_positions(at + 3, lane, head);
    scores3.x = pair_score(query3, key0, positions_at);
    let own = choose(lane, scores0, scores1, scores2, scores3);
    let of_x = choose(lane ^ 1, scores0, scores1, scores2, scores3);
    let of_y = choose(lane ^ 2, scores0, scores1, scores2, scores3);
    let of_diagonal = choose(lane ^ 3, scores0, scores1, scores2, scores3);
    return own + quadSwapX(of_x) + quadSwapY(of_y) + quadSwapDiagonal(of_diagonal);
}

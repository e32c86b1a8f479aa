// The scores of four queries and four keys by a quad: Q Kᵀ · scale.

@group(0) @binding(5) var<storage, read_write> output: array<vec4<f32>>;

// The row of a quad's query that each of its invocations keeps a part of: its own first.
fn query_row(first: u32, lane: u32, at: u32, last: u32) -> u32 {
    return min(first + (lane ^ at), last);
}

fn part_dots(query: HeadPart, key0: HeadPart, key1: HeadPart, key2: HeadPart, key3: HeadPart) -> vec4<f32> {
    return vec4<f32>(
        part_dot(query, key0), part_dot(query, key1), part_dot(query, key2), part_dot(query, key3)
    );
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
    // Own scores, and what is known of the others'.
    let scores0 = part_dots(query0, key0, key1, key2, key3);
    let scores1 = part_dots(query1, key0, key1, key2, key3);
    let scores2 = part_dots(query2, key0, key1, key2, key3);
    let scores3 = part_dots(query3, key0, key1, key2, key3);
    return scores0 + quadSwapX(scores1) + quadSwapY(scores2) + quadSwapDiagonal(scores3);
}

// softmax(Q Kᵀ · scale) V, each query row over the tokens of its own document. The softmax is computed online
// (Milakov and Gimelshein 2018, arXiv 1805.02867), so no score is ever stored.
// queries: (rows, query_stride), keys_values: (T, kv_stride), output: (rows, heads · HEAD_VECTORS); all in vectors
// of four
//
// A quad computes four query rows of one head. Its invocations share the head's columns, and the rows: each keeps its
// columns of all four rows, its own row first and then by exclusive or with its number, 0 1 2 3. So three swaps add up
// the scores of a key, each row's in its own invocation; three more hand the softmax's weights round. Keys are taken
// four at a time, so that what was summed is corrected for a new largest score once in four.
//
// `shared/quad_scores_of_contents.wgsl` or `shared/quad_scores_of_positions.wgsl` says what a score is.

// How many heads a workgroup computes.
override HEADS: u32 = 4;
override HEAD_VECTORS: u32 = 16;
const KEYS: u32 = 4;

// The first row and the document of each four rows
@group(0) @binding(3) var<storage, read> tiles: array<vec2<u32>>;

// In one dimension: only there do drivers agree that a quad is four in a row.
@compute @workgroup_size(4 * HEADS)
fn main(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let tile = tiles[workgroup.x];
    let end = starts[tile.y + 1];
    let first = starts[tile.y];
    let lane = local % 4;
    // Nobody may leave a quad, so who has no head repeats the last one.
    let own_head = workgroup.y * HEADS + local / 4;
    let head = min(own_head, params.heads - 1);

    let columns = head * HEAD_VECTORS + lane;
    let last_row = end - 1;
    let row = min(tile.x + lane, last_row);
    let row1 = min(tile.x + (lane ^ 1), last_row);
    let row2 = min(tile.x + (lane ^ 2), last_row);
    let row3 = min(tile.x + (lane ^ 3), last_row);
    let query_column = params.query_offset + columns;
    let query0 = query_part(query_row(tile.x, lane, 0, last_row) * params.query_stride + query_column) * params.scale;
    let query1 = query_part(query_row(tile.x, lane, 1, last_row) * params.query_stride + query_column) * params.scale;
    let query2 = query_part(query_row(tile.x, lane, 2, last_row) * params.query_stride + query_column) * params.scale;
    let query3 = query_part(query_row(tile.x, lane, 3, last_row) * params.query_stride + query_column) * params.scale;

    var sum0 = HeadPart();
    var sum1 = HeadPart();
    var sum2 = HeadPart();
    var sum3 = HeadPart();
    var largest = -1e30;
    var total = 0.0;
    for (var token = first; token < end; token += KEYS) {
        let at0 = token * params.kv_stride + columns;
        let at1 = min(token + 1, last_row) * params.kv_stride + columns;
        let at2 = min(token + 2, last_row) * params.kv_stride + columns;
        let at3 = min(token + 3, last_row) * params.kv_stride + columns;
        let key0 = key_value_part(at0 + params.key_offset);
        let key1 = key_value_part(at1 + params.key_offset);
        let key2 = key_value_part(at2 + params.key_offset);
        let key3 = key_value_part(at3 + params.key_offset);
        let exist = token + vec4<u32>(0, 1, 2, 3) < vec4<u32>(end);
        let sums = quad_scores(
            lane, query0, query1, query2, query3, key0, key1, key2, key3, tile.x, token, head
        );
        let scores = select(vec4<f32>(-1e30), sums, exist);
        let new_largest = max(max(max(scores.x, scores.y), max(scores.z, scores.w)), largest);
        let correction = exp(largest - new_largest);
        let weights = exp(scores - new_largest);
        total = total * correction + dot(weights, vec4<f32>(1.0));
        largest = new_largest;
        let corrections = quad(correction);
        sum0 *= corrections.x;
        sum1 *= corrections.y;
        sum2 *= corrections.z;
        sum3 *= corrections.w;
        let value0 = key_value_part(at0 + params.value_offset);
        let value1 = key_value_part(at1 + params.value_offset);
        let value2 = key_value_part(at2 + params.value_offset);
        let value3 = key_value_part(at3 + params.value_offset);
        let weights1 = quadSwapX(weights);
        let weights2 = quadSwapY(weights);
        let weights3 = quadSwapDiagonal(weights);
        sum0 += value0 * weights.x + value1 * weights.y + value2 * weights.z + value3 * weights.w;
        sum1 += value0 * weights1.x + value1 * weights1.y + value2 * weights1.z + value3 * weights1.w;
        sum2 += value0 * weights2.x + value1 * weights2.y + value2 * weights2.z + value3 * weights2.w;
        sum3 += value0 * weights3.x + value1 * weights3.y + value2 * weights3.z + value3 * weights3.w;
    }

    let totals = quad(total);
    if own_head >= params.heads {
        return;
    }
    // Rows behind the last one stood in for nobody.
    let output_stride = params.heads * HEAD_VECTORS;
    if tile.x + lane < end {
        store_part(row * output_stride + columns, sum0 * (1.0 / totals.x));
    }
    if tile.x + (lane ^ 1) < end {
        store_part(row1 * output_stride + columns, sum1 * (1.0 / totals.y));
    }
    if tile.x + (lane ^ 2) < end {
        store_part(row2 * output_stride + columns, sum2 * (1.0 / totals.z));
    }
    if tile.x + (lane ^ 3) < end {
        store_part(row3 * output_stride + columns, sum3 * (1.0 / totals.w));
    }
}

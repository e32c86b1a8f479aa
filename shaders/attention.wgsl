// softmax(Q Kᵀ · scale) V, each query row over the tokens of its own document, one invocation for each
// (query row, head). The softmax is computed online (Milakov and Gimelshein 2018, arXiv 1805.02867), so no score
// is ever stored.
// queries: (rows, query_stride), keys_values: (T, kv_stride), output: (rows, heads · HEAD_VECTORS); all in vectors
// of four
//
// `shared/scores_of_contents.wgsl` or `shared/scores_of_positions.wgsl` says what a score is.

// head_size / 4, at most MAX_HEAD_VECTORS.
override HEAD_VECTORS: u32 = 16;
// Whether query rows are documents; they are tokens otherwise.
override ROWS_ARE_DOCUMENTS: bool = false;

const MAX_HEAD_VECTORS: u32 = 32;

@group(0) @binding(3) var<storage, read> tokens: array<Token>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let row = invocation.x;
    let head = invocation.y;
    if row >= params.rows {
        return;
    }
    var document = row;
    if !ROWS_ARE_DOCUMENTS {
        document = tokens[row].z;
    }
    let first = starts[document];
    let end = starts[document + 1];
    // A document's row is that of its first token.
    let query_token = select(row, first, ROWS_ARE_DOCUMENTS);

    var query: array<vec4<f32>, MAX_HEAD_VECTORS>;
    var sum: array<vec4<f32>, MAX_HEAD_VECTORS>;
    let query_at = row * params.query_stride + params.query_offset + head * HEAD_VECTORS;
    for (var i = 0u; i < HEAD_VECTORS; i++) {
        query[i] = queries[query_at + i] * params.scale;
        sum[i] = vec4<f32>(0.0);
    }

    var largest = -1e30;
    var total = 0.0;
    var key_at = first * params.kv_stride + params.key_offset + head * HEAD_VECTORS;
    var value_at = first * params.kv_stride + params.value_offset + head * HEAD_VECTORS;
    for (var token = first; token < end; token++) {
        let position = position_of(query_token, token, head);
        var score = 0.0;
        for (var i = 0u; i < HEAD_VECTORS; i++) {
            score += score_part(query[i], keys_values[key_at + i], position + i);
        }
        if score > largest {
            // What was summed so far was relative to the old largest score.
            let correction = exp(largest - score);
            total *= correction;
            for (var i = 0u; i < HEAD_VECTORS; i++) {
                sum[i] *= correction;
            }
            largest = score;
        }
        let weight = exp(score - largest);
        total += weight;
        for (var i = 0u; i < HEAD_VECTORS; i++) {
            sum[i] += weight * keys_values[value_at + i];
        }
        key_at += params.kv_stride;
        value_at += params.kv_stride;
    }

    let output_at = (row * params.heads + head) * HEAD_VECTORS;
    for (var i = 0u; i < HEAD_VECTORS; i++) {
        output[output_at + i] = sum[i] / total;
    }
}

// What relative positions project to.

// The row of each distance, query less key, and of three more at each end
@group(0) @binding(5) var<storage, read> position_rows: array<u32>;
// For each head and each row, Pk and then Pq · scale: (heads, position_count, 2 · HEAD_VECTORS)
@group(0) @binding(6) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>;

// Where the row of a distance begins, which is given by its place in position_rows. Pq lies HEAD_VECTORS behind.
fn position_at(distance: u32, head: u32) -> u32 {
    return (head * params.position_count + position_rows[distance]) * 2 * HEAD_VECTORS;
}

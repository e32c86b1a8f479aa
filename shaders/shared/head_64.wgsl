// What one invocation of a quad keeps of a row of a head of 64 columns: every fourth vector.

alias HeadPart = mat4x4<f32>;

fn query_part(at: u32) -> HeadPart {
    return HeadPart(queries[at], queries[at + 4], queries[at + 8], queries[at + 12]);
}

fn key_value_part(at: u32) -> HeadPart {
    return HeadPart(keys_values[at], keys_values[at + 4], keys_values[at + 8], keys_values[at + 12]);
}

fn part_dot(a: HeadPart, b: HeadPart) -> f32 {
    return dot(a[0], b[0]) + dot(a[1], b[1]) + dot(a[2], b[2]) + dot(a[3], b[3]);
}

fn store_part(at: u32, part: HeadPart) {
    output[at] = part[0];
    output[at + 4] = part[1];
    output[at + 8] = part[2];
    output[at + 12] = part[3];
}

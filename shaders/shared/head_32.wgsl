// What one invocation of a quad keeps of a row of a head of 32 columns: every fourth vector.

alias HeadPart = mat2x4<f32>;

fn query_part(at: u32) -> HeadPart {
    return HeadPart(queries[at], queries[at + 4]);
}

fn key_value_part(at: u32) -> HeadPart {
    return HeadPart(keys_values[at], keys_values[at + 4]);
}

fn part_dot(a: HeadPart, b: HeadPart) -> f32 {
    return dot(a[0], b[0]) + dot(a[1], b[1]);
}

fn store_part(at: u32, part: HeadPart) {
    output[at] = part[0];
    output[at + 4] = part[1];
}

// What is known of a token row: x its id, y its position in its document, z its document.
alias Token = vec4<u32>;

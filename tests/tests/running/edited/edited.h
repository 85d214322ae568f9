static inline unsigned from_header(unsigned x) { return x * 3 + 11; }

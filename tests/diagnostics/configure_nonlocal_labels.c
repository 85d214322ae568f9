// FFmpeg: inline_asm_labels, inline_asm_nonlocal_labels, inline_asm_direct_symbol_refs.
//# try: -O2
int symbol;
void labels(void) { __asm__ volatile("1:\nnop\n jmp 1b"); }
void nonlocal(void) { __asm__ volatile("Label:\nnop"); }
int reference(void) { int x; __asm__ volatile("movl symbol(%%rip), %0" : "=r"(x)); return x; }

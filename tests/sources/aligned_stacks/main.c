// The beginning, which the C library calls with a stack that is aligned to 16 bytes, and what the stack pointer of a caller is.
void run(int argc);

__attribute__((force_align_arg_pointer)) int main(int argc, char **argv) {
    (void)argv;
    run(argc);
    return 0;
}

__asm__(".globl stack_pointer\n"
        ".type stack_pointer, @function\n"
        "stack_pointer: leaq 8(%rsp), %rax\n"
        "ret\n");

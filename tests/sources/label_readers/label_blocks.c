// The second unit of label_readers.cpp: a block of Apple's extension reads a table of labels. It is called by its layout
// (clang's Block-ABI-Apple), without the extension's run-time library.
void *_NSConcreteGlobalBlock[32];

#ifdef __BLOCKS__
int blocks(int i) {
    static void *const table[] = {&&one, &&two};
    void *(^at)(int) = ^(int k) { return table[k]; };
    goto *at(i);
one:
    return 1;
two:
    return 2;
}
#endif

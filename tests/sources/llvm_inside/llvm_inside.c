// A program that uses LLVM itself, of the same version as the runtime's, while its functions are compiled.
//# flags: -I/usr/lib/llvm-22/include -Wno-deprecated-declarations
//# link: -L/usr/lib/llvm-22/lib -lLLVM-22 -pthread
//# linkers: lld
//# prints: compiled by the program itself: 42 and 6
//# prints: passes ran 1
//# lazy: build_module
//# dynamic: there is no static library of it
#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <llvm-c/ExecutionEngine.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <pthread.h>
#include <stdio.h>

#define F(n) __attribute__((noinline)) int f##n(int x) { return x + n; }
#define TEN(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8)
#undef F
#define F(n) f##n,
static int (*const all[])(int) = {TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8)};

/// Makes first calls while the program's own LLVM is at work.
static void *compile_all(void *unused) {
    volatile int sink = 0;
    for (int i = 0; i < 80; i++) sink += all[i](0);
    return unused;
}

LLVMModuleRef build_module(const char *name, int factor) {
    LLVMModuleRef module = LLVMModuleCreateWithName(name);
    LLVMTypeRef integer = LLVMInt32Type();
    LLVMValueRef function = LLVMAddFunction(module, name, LLVMFunctionType(integer, &integer, 1, 0));
    LLVMBuilderRef builder = LLVMCreateBuilder();
    LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlock(function, "entry"));
    LLVMBuildRet(builder, LLVMBuildMul(builder, LLVMGetParam(function, 0), LLVMConstInt(integer, (unsigned)factor, 0), "p"));
    LLVMDisposeBuilder(builder);
    return module;
}

static int compile_and_call(const char *name, int factor, int argument) {
    LLVMModuleRef module = build_module(name, factor);
    LLVMExecutionEngineRef engine;
    char *error = NULL;
    if (LLVMCreateExecutionEngineForModule(&engine, module, &error)) return fprintf(stderr, "%s\n", error), -1;
    int (*function)(int) = (int (*)(int))LLVMGetFunctionAddress(engine, name);
    int result = function(argument);
    LLVMDisposeExecutionEngine(engine);
    return result;
}

int main(void) {
    pthread_t thread;
    LLVMInitializeX86TargetInfo(), LLVMInitializeX86Target(), LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter(), LLVMLinkInMCJIT();
    pthread_create(&thread, NULL, compile_all, NULL);
    int a = compile_and_call("six", 6, 7), b = compile_and_call("two", 2, 3);
    pthread_join(thread, NULL);
    printf("compiled by the program itself: %d and %d\n", a, b);
    LLVMModuleRef module = build_module("checked", 3);
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef failed = LLVMRunPasses(module, "default<O2>", NULL, options);
    printf("passes ran %d\n", failed == NULL && LLVMVerifyModule(module, LLVMReturnStatusAction, NULL) == 0);
    LLVMDisposePassBuilderOptions(options);
    LLVMDisposeModule(module);
    return 0;
}

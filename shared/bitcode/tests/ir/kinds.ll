; Instructions, constants, types and properties of globals that compilers seldom write.
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

module asm ".globl from_assembly"
module asm "from_assembly:"

%named = type { i8, [3 x i16], <{ i32, i64 }> }
%opaque = type opaque
%nested = type { %named, i128, x86_fp80, fp128, half, bfloat, <3 x float>, <8 x i1>, i24, i65, i200, ptr addrspace(270) }

$group = comdat any
$largest = comdat largest

@wide = global i128 -170141183460469231731687303715884105728
@wider = constant i200 803469022129495137770981046170581301261101496891396417650687
@long = global x86_fp80 0xK3FFF8000000000000001
@quad = global fp128 0xL00000000000000018000000000000000
@halves = global [3 x half] [half 0xH3C00, half 0xH7E01, half 0xH0001]
@brains = global <2 x bfloat> <bfloat 0xR3F80, bfloat 0xR7FC1>
@nan = global double 0x7FF4000000000001
@text = private unnamed_addr constant [6 x i8] c"a.B_9\00", align 1
@bytes = internal constant [4 x i8] c"\FF\00\80\01"
@numbers = global [3 x i64] [i64 -1, i64 9223372036854775807, i64 0]
@mixed = global { i1, i8, ptr, [2 x %named] } { i1 true, i8 -128, ptr @mixed, [2 x %named] zeroinitializer }
@undefined = global { i32, i32 } { i32 undef, i32 poison }
@inside = global ptr getelementptr inbounds ([3 x i64], ptr @numbers, i64 0, i64 2)
@flagged = global ptr getelementptr nuw (i8, ptr @numbers, i64 3)
@ranged = global ptr getelementptr inrange(-8, 16) (i8, ptr @numbers, i64 8)
@difference = global i64 sub (i64 ptrtoint (ptr @inside to i64), i64 ptrtoint (ptr @numbers to i64))
@truncated = global i32 trunc (i64 sub (i64 ptrtoint (ptr dso_local_equivalent @plain to i64), i64 ptrtoint (ptr @truncated to i64)) to i32)
@uncontrolled = global ptr no_cfi @plain
@label = global ptr blockaddress(@jumps, %second)
@space = global ptr addrspacecast (ptr addrspace(1) @far to ptr)
@far = addrspace(1) global i32 7
@local = thread_local(localexec) global i32 1, align 64
@initial = external thread_local(initialexec) global i32
@dynamic = thread_local(localdynamic) global i32 0
@general = thread_local global i32 0
@weak = weak hidden global i32 3, section ".special", align 128
@odd = linkonce_odr protected unnamed_addr global i32 4, comdat($group)
@common = common local_unnamed_addr global [100 x i8] zeroinitializer, align 16
@external = external dso_local global i32
@optional = extern_weak global i32
@known = available_externally constant i32 5
@large = global i32 6, code_model "large"
@initialised = externally_initialized global i32 7
@llvm.used = appending global [1 x ptr] [ptr @weak], section "llvm.metadata"
@vector_pointers = global <2 x ptr> <ptr @weak, ptr null>

@alias = weak_odr hidden alias i32, ptr @weak
@offset_alias = internal unnamed_addr alias i64, getelementptr (i8, ptr @numbers, i64 8)
@ifunc = hidden ifunc i32 (i32), ptr @resolver

declare i32 @personality(...)
declare void @throws(i32)
declare token @llvm.experimental.convergence.anchor()
declare { i32, i1 } @llvm.sadd.with.overflow.i32(i32, i32)
declare i64 @llvm.read_register.i64(metadata)
declare double @llvm.experimental.constrained.fadd.f64(double, double, metadata, metadata)
declare void @variadic(ptr, ...)

define hidden void @plain() prefix i32 17 prologue i8 -112 { ret void }

define ptr @resolver() { ret ptr @plain }

define fastcc i64 @integers(i64 %a, i64 %b, i1 zeroext %c, i24 %d, i200 %e) {
  %1 = add nuw nsw i64 %a, %b
  %2 = sub nsw i64 %1, %b
  %3 = mul nuw i64 %2, 3
  %4 = udiv exact i64 %3, 3
  %5 = sdiv i64 %4, -5
  %6 = urem i64 %5, 7
  %7 = srem i64 %6, 11
  %8 = shl nuw i64 %7, 1
  %9 = lshr exact i64 %8, 1
  %10 = ashr i64 %9, 63
  %11 = and i64 %10, 255
  %12 = or disjoint i64 %11, 256
  %13 = xor i64 %12, -1
  %14 = trunc nuw nsw i64 %13 to i32
  %15 = zext nneg i32 %14 to i64
  %16 = sext i32 %14 to i128
  %17 = icmp samesign ult i64 %15, 4
  %18 = icmp sge i128 %16, 1180591620717411303424
  %19 = select i1 %17, i64 %15, i64 0
  %20 = freeze i64 %19
  %21 = zext i24 %d to i200
  %22 = add i200 %21, %e
  %23 = icmp eq i200 %22, 803469022129495137770981046170581301261101496891396417650687
  %24 = call { i32, i1 } @llvm.sadd.with.overflow.i32(i32 %14, i32 -1)
  %25 = extractvalue { i32, i1 } %24, 1
  ret i64 %20
}

define double @floats(float %f, double %d, x86_fp80 %x, half %h, bfloat %b) strictfp {
  %1 = fpext float %f to double
  %2 = fadd fast double %1, %d
  %3 = fsub nnan ninf double %2, 1.0
  %4 = fmul reassoc nsz arcp contract afn double %3, 0x7FF8000000000000
  %5 = fdiv double %4, %d
  %6 = frem double %5, 3.0
  %7 = fneg nsz double %6
  %8 = fptrunc ninf double %7 to float
  %9 = fcmp ueq float %8, %f
  %10 = fcmp nnan olt double %7, %d
  %11 = fptoui double %7 to i128
  %12 = fptosi x86_fp80 %x to i16
  %13 = uitofp nneg i128 %11 to x86_fp80
  %14 = sitofp i16 %12 to half
  %15 = fpext half %14 to fp128
  %16 = bitcast bfloat %b to i16
  %17 = bitcast half %h to bfloat
  %18 = select fast i1 %9, double %7, double %d
  %19 = call fast double @callee(double %18)
  %20 = call double @llvm.experimental.constrained.fadd.f64(double %19, double 1.0, metadata !"round.dynamic", metadata !"fpexcept.strict")
  br i1 %10, label %yes, label %no
yes:
  br label %no
no:
  %p = phi nnan double [ %20, %0 ], [ %later, %yes2 ], [ 0.0, %yes ]
  %more = fadd double %p, 1.0
  br i1 %9, label %yes2, label %out
yes2:
  %later = fadd double %more, 1.0
  br label %no
out:
  ret double %more
}

declare double @callee(double)

define <4 x i32> @vectors(<4 x i32> %v, <4 x i32> %w, i32 %i, <2 x ptr> %p, <vscale x 4 x i32> %s) {
  %1 = extractelement <4 x i32> %v, i32 %i
  %2 = insertelement <4 x i32> %w, i32 %1, i64 2
  %3 = shufflevector <4 x i32> %v, <4 x i32> %2, <8 x i32> <i32 0, i32 5, i32 poison, i32 7, i32 1, i32 1, i32 2, i32 3>
  %4 = shufflevector <8 x i32> %3, <8 x i32> poison, <4 x i32> zeroinitializer
  %5 = icmp sgt <4 x i32> %4, <i32 1, i32 -2, i32 3, i32 4>
  %6 = select <4 x i1> %5, <4 x i32> %4, <4 x i32> %v
  %7 = getelementptr inbounds i32, <2 x ptr> %p, i64 3
  %8 = getelementptr nusw nuw [4 x %named], ptr @mixed, <2 x i64> <i64 1, i64 2>, i64 3
  %9 = icmp eq <2 x ptr> %7, %8
  %10 = add <vscale x 4 x i32> %s, %s
  %11 = icmp eq <vscale x 4 x i32> %10, zeroinitializer
  %12 = bitcast <4 x i32> %6 to i128
  %13 = bitcast i128 %12 to <16 x i8>
  %14 = trunc <4 x i32> %6 to <4 x i8>
  %15 = ptrtoint <2 x ptr> %7 to <2 x i64>
  %16 = inttoptr <2 x i64> %15 to <2 x ptr>
  %17 = fcmp fast oeq <2 x double> <double 1.0, double 2.0>, zeroinitializer
  ret <4 x i32> %6
}

define i32 @memory(ptr %p, ptr byref(%named) %r, ptr addrspace(1) %q, i64 %n, ptr byval(%named) align 8 %b) {
  %1 = alloca i32, align 4
  %2 = alloca [10 x i8], i64 %n, align 1
  %3 = alloca %nested, align 64
  %4 = load volatile i32, ptr %p, align 2
  store volatile i32 %4, ptr %1, align 8
  %5 = load atomic i32, ptr %p syncscope("singlethread") acquire, align 4
  %6 = load atomic volatile i64, ptr %p unordered, align 8
  store atomic i32 %5, ptr %p release, align 4
  store atomic ptr %p, ptr %p syncscope("other") seq_cst, align 8
  fence acq_rel
  fence syncscope("singlethread") seq_cst
  %7 = cmpxchg weak volatile ptr %p, i32 %4, i32 %5 acq_rel monotonic, align 4
  %8 = cmpxchg ptr %p, ptr null, ptr %p seq_cst acquire, align 8
  %9 = atomicrmw add ptr %p, i32 1 monotonic, align 4
  %10 = atomicrmw volatile xchg ptr %p, ptr %p acquire, align 8
  %11 = atomicrmw fadd ptr %p, double 1.0 seq_cst, align 8
  %12 = atomicrmw uinc_wrap ptr %p, i32 7 release, align 4
  %13 = atomicrmw nand ptr %p, i8 1 acq_rel, align 1
  %14 = atomicrmw usub_sat ptr %p, i16 1 syncscope("other") seq_cst, align 2
  %15 = atomicrmw fmaximum ptr %p, float 1.0 seq_cst, align 4
  %16 = getelementptr inbounds nuw %nested, ptr %3, i64 0, i32 0, i32 1, i64 %n
  %17 = addrspacecast ptr addrspace(1) %q to ptr
  %18 = ptrtoaddr ptr %p to i64
  %19 = va_arg ptr %p, i32
  %20 = load %named, ptr %b, align 8
  %21 = insertvalue %named %20, i16 5, 1, 2
  %22 = extractvalue %named %21, 2, 0
  store %named %21, ptr %r, align 1
  ret i32 %22
}

define i32 @jumps(i32 %n, ptr %a, i128 %w) {
  switch i32 %n, label %default [
    i32 0, label %first
    i32 -1, label %second
    i32 5, label %first
    i32 2147483647, label %third
  ]
first:
  br label %third
second:
  indirectbr ptr %a, [label %first, label %second, label %third]
third:
  %p = phi i32 [ 0, %entry2 ], [ 1, %first ], [ %n, %second ], [ %n, %0 ]
  switch i128 %w, label %default [
    i128 -1, label %fourth
    i128 18446744073709551616, label %fourth
    i128 0, label %default
  ]
fourth:
  callbr void asm sideeffect "jmp ${0:l}", "!i"() to label %default [label %entry2]
entry2:
  %q0 = add i32 %n, 1
  br label %third
default:
  %q = phi i32 [ 7, %0 ], [ %p, %third ], [ %p, %third ], [ 8, %fourth ]
  unreachable
}

define void @exceptions() uwtable personality ptr @personality {
  invoke void @throws(i32 signext 1) to label %normal unwind label %pad
normal:
  invoke fastcc void @throws(i32 2) [ "deopt"(i32 1, ptr @weak), "other"() ] to label %done unwind label %cleanup
pad:
  %1 = landingpad { ptr, i32 } cleanup catch ptr @weak catch ptr null filter [2 x ptr] [ptr @weak, ptr @odd] filter [0 x ptr] zeroinitializer
  resume { ptr, i32 } %1
cleanup:
  %2 = landingpad { ptr, i32 } catch ptr @mixed
  %3 = extractvalue { ptr, i32 } %2, 0
  ret void
done:
  ret void
}

define void @funclets() personality ptr @personality {
  invoke void @throws(i32 1) to label %normal unwind label %dispatch
dispatch:
  %1 = catchswitch within none [label %handler, label %other] unwind label %cleanup
handler:
  %2 = catchpad within %1 [ptr null, i32 64, ptr null]
  call void @throws(i32 3) [ "funclet"(token %2) ]
  catchret from %2 to label %normal
other:
  %3 = catchpad within %1 []
  catchret from %3 to label %normal
cleanup:
  %4 = cleanuppad within none [i32 7]
  cleanupret from %4 unwind to caller
normal:
  ret void
}

define swiftcc ptr @calls(ptr swiftself %self, ptr nest %n, i32 inreg %i, ptr %f) align 32 gc "shadow-stack" {
  %1 = tail call i32 %f(i32 %i)
  %2 = notail call fastcc i32 %f(i32 zeroext %1) #0
  call void (ptr, ...) @variadic(ptr %f, i32 %2, double 1.0, x86_fp80 0xK3FFF8000000000000000, i128 5)
  %3 = call i64 @llvm.read_register.i64(metadata !0)
  %4 = call i64 asm sideeffect alignstack inteldialect unwind "mov $0, $1", "=r,r,~{memory}"(i64 %3)
  %5 = call i32 asm "", "=r,0"(i32 %2)
  call x86_vectorcallcc void @throws(i32 range(i32 0, 10) %5) [ "align"(ptr %f, i64 8) ]
  %6 = musttail call swiftcc ptr @calls(ptr swiftself %self, ptr nest %n, i32 inreg %i, ptr %f)
  ret ptr %6
}

define void @unreached() {
  ret void
later:
  %1 = add i32 %2, 1
  br label %other
other:
  %2 = add i32 %1, 1
  br i1 undef, label %later, label %other
}

attributes #0 = { nounwind noreturn memory(read) "custom"="value" "empty" allocsize(0) "with space"="\22quoted\22" }

!0 = !{!"rsp"}

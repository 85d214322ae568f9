; What tests of digests change, a place at a time. The digest is that of @root.
source_filename = "digest.c"
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

%pair = type { i32, i64 }
%other = type { i8 }

@.str.7 = private unnamed_addr constant [6 x i8] c"hello\00", align 1
@table = internal constant [2 x ptr] [ptr @.str.7, ptr @reached], align 8
@shared = external global %pair, align 8
@vtable = external unnamed_addr constant { [4 x ptr] }, align 8
@unrelated = external global i32, align 4

declare i32 @printf(ptr, ...) #1
declare i32 @known(i32 range(i32 0, 10)) #1
declare void @elsewhere(ptr)
declare i32 @personality(...)
declare void @llvm.assume(i1)

define internal i32 @small(i32 %x) #0 {
  %y = add nsw i32 %x, 17
  ret i32 %y
}

define internal i32 @deep(i32 %x) #0 {
  %y = call i32 @small(i32 %x)
  %z = mul i32 %y, 19
  ret i32 %z
}

define internal i32 @kept(i32 %x) #2 {
  %y = sub i32 %x, 23
  ret i32 %y
}

define internal i32 @forced(i32 %x) #3 {
  %y = xor i32 %x, 29
  ret i32 %y
}

define internal void @reached() #0 {
  call void @elsewhere(ptr null)
  ret void
}

define internal i32 @unreached(i32 %x) #0 {
  %y = add i32 %x, 31
  ret i32 %y
}

define i32 @root(ptr noalias %p, i32 %n, double %d) #0 personality ptr @personality !prof !20 !dbg !40 {
entry:
  %a = alloca %pair, align 8
  %s = call i32 (ptr, ...) @printf(ptr @.str.7), !dbg !41
  %t = load ptr, ptr getelementptr inbounds ([2 x ptr], ptr @table, i64 0, i64 1), align 8
  store ptr getelementptr inbounds inrange(-16, 16) ({ [4 x ptr] }, ptr @vtable, i32 0, i32 0, i32 2), ptr %a, align 8
  %l = load i32, ptr %p, align 4, !tbaa !1, !range !30
  %v = load volatile i32, ptr @shared, align 4
  %m = load atomic i32, ptr @shared syncscope("singlethread") acquire, align 4
  %w = atomicrmw add ptr @shared, i32 1 monotonic, align 4
  %k = call i32 @known(i32 %l)
  %e = call fastcc i32 @deep(i32 %k)
  %g = call i32 @kept(i32 %e)
  %h = call i32 @forced(i32 %g)
  %f = fadd contract double %d, 1.5
  %c = fcmp olt double %f, %d
  %i = icmp ult i32 %h, 41
  %o = zext i1 %i to i32
  %b = select i1 %c, i32 %h, i32 %o
  call void @llvm.assume(i1 true) [ "align"(ptr %p, i64 16) ]
  %asm = call i32 asm sideeffect "nop", "=r,~{memory}"(), !srcloc !45
  br label %loop

loop:
  %j = phi i32 [ 0, %entry ], [ %j1, %loop ]
  %q = getelementptr inbounds %pair, ptr @shared, i32 0, i32 1
  store i32 %j, ptr %q, align 4, !alias.scope !10, !noalias !13
  %j1 = add nuw i32 %j, 1
  %again = icmp slt i32 %j1, %n
  br i1 %again, label %loop, label %cold, !prof !21, !llvm.loop !22

cold:
  %agg = insertvalue { i32, i64 } undef, i32 %b, 0
  %x = extractvalue { i32, i64 } %agg, 0
  %z = invoke i32 @known(i32 %x) to label %end unwind label %pad

pad:
  %lp = landingpad { ptr, i32 } cleanup
  resume { ptr, i32 } %lp

end:
  switch i32 %z, label %out [ i32 43, label %loop.out ]

loop.out:
  br label %out

out:
  ret i32 %z
}

attributes #0 = { nounwind "target-cpu"="x86-64" "no-signed-zeros-fp-math"="false" }
attributes #1 = { nounwind memory(read) }
attributes #2 = { noinline nounwind }
attributes #3 = { alwaysinline nounwind }

!llvm.module.flags = !{!50, !51}
!llvm.dbg.cu = !{!42}

!1 = !{!2, !2, i64 0}
!2 = !{!"int", !3, i64 0}
!3 = !{!"omnipotent char", !4, i64 0}
!4 = !{!"Simple C/C++ TBAA"}
!10 = !{!11}
!11 = distinct !{!11, !12, !"scope"}
!12 = distinct !{!12, !"domain"}
!13 = !{!14}
!14 = distinct !{!14, !12, !"scope"}
!20 = !{!"function_entry_count", i64 1000}
!21 = !{!"branch_weights", i32 99, i32 1}
!22 = distinct !{!22, !23, !41}
!23 = !{!"llvm.loop.unroll.count", i32 4}
!30 = !{i32 0, i32 100}
!40 = distinct !DISubprogram(name: "root", file: !43, line: 10, type: !44, unit: !42)
!41 = !DILocation(line: 11, column: 3, scope: !40)
!42 = distinct !DICompileUnit(language: DW_LANG_C11, file: !43, emissionKind: FullDebug)
!43 = !DIFile(filename: "digest.c", directory: "/")
!44 = !DISubroutineType(types: !{null})
!45 = !{i64 4711}
!50 = !{i32 2, !"Debug Info Version", i32 3}
!51 = !{i32 1, !"wchar_size", i32 4}

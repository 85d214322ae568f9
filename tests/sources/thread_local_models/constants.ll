; Thread-local variables as other compilers use them: directly, in constant expressions, in phi nodes and aggregates, by
; another name, two in one expression.
source_filename = "constants.ll"
target triple = "x86_64-pc-linux-gnu"

@table = internal thread_local global [4 x i32] [i32 40, i32 41, i32 42, i32 43]
@single = thread_local global i32 44
@alias = internal thread_local alias i32, ptr @single

define i32 @from_constants(i32 %which) {
entry:
  %expression = load i32, ptr getelementptr inbounds ([4 x i32], ptr @table, i64 0, i64 1)
  %first = icmp eq i32 %which, 0
  br i1 %first, label %end, label %other
other:
  store i32 45, ptr @alias
  br label %end
end:
  %at = phi ptr [ getelementptr (i8, ptr @table, i64 8), %entry ], [ @single, %other ]
  %value = load i32, ptr %at
  %sum = add i32 %expression, %value
  ret i32 %sum
}

define i32 @distance() {
  ret i32 trunc (i64 sub (i64 ptrtoint (ptr getelementptr (i8, ptr @table, i64 12) to i64), i64 ptrtoint (ptr @table to i64)) to i32)
}

define i32 @from_aggregate() {
  %pair = call { ptr, i32 } @aggregate()
  %pointer = extractvalue { ptr, i32 } %pair, 0
  %number = extractvalue { ptr, i32 } %pair, 1
  %value = load i32, ptr %pointer
  %sum = add i32 %value, %number
  ret i32 %sum
}

define internal { ptr, i32 } @aggregate() noinline {
  ret { ptr, i32 } { ptr getelementptr inbounds ([4 x i32], ptr @table, i64 0, i64 3), i32 7 }
}

!llvm.module.flags = !{!0, !1}
!0 = !{i32 8, !"PIC Level", i32 2}
!1 = !{i32 7, !"PIE Level", i32 2}

; Functions with `indirectbr`, which may be replaced unless they keep the address of a label: those are named kept_.
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

@table = internal constant [3 x ptr] [ptr blockaddress(@interprets, %more), ptr blockaddress(@interprets, %less), ptr blockaddress(@interprets, %end)]
@place = internal global ptr null
@stored = internal constant [1 x ptr] [ptr blockaddress(@kept_table, %end)]

declare void @take(ptr)

; Blocks: entry 0, dispatch 1, more 2, less 3, end 4
define i64 @interprets(ptr %code) {
entry:
  br label %dispatch
dispatch:
  %at = phi ptr [ %code, %entry ], [ %after.more, %more ], [ %after.less, %less ]
  %sum = phi i64 [ 0, %entry ], [ %greater, %more ], [ %smaller, %less ]
  %op = load i8, ptr %at
  %index = zext i8 %op to i64
  %slot = getelementptr inbounds [3 x ptr], ptr @table, i64 0, i64 %index
  %label = load ptr, ptr %slot
  indirectbr ptr %label, [label %more, label %less, label %end]
more:
  %greater = add i64 %sum, 3
  %after.more = getelementptr i8, ptr %at, i64 1
  br label %dispatch
less:
  %smaller = sub i64 %sum, 1
  %after.less = getelementptr i8, ptr %at, i64 1
  br label %dispatch
end:
  ret i64 %sum
}

; The label is chosen, and waits in a phi.
define i64 @chooses(i1 %first) {
entry:
  %label = select i1 %first, ptr blockaddress(@chooses, %one), ptr blockaddress(@chooses, %two)
  br label %dispatch
dispatch:
  %where = phi ptr [ %label, %entry ]
  indirectbr ptr %where, [label %one, label %two]
one:
  ret i64 1
two:
  ret i64 2
}

define void @kept_in_memory() {
entry:
  store ptr blockaddress(@kept_in_memory, %end), ptr @place
  indirectbr ptr blockaddress(@kept_in_memory, %end), [label %end]
end:
  ret void
}

define void @kept_by_another() {
entry:
  call void @take(ptr blockaddress(@kept_by_another, %end))
  indirectbr ptr blockaddress(@kept_by_another, %end), [label %end]
end:
  ret void
}

define ptr @kept_as_result(i1 %go) {
entry:
  br i1 %go, label %dispatch, label %out
dispatch:
  indirectbr ptr blockaddress(@kept_as_result, %end), [label %end]
end:
  ret ptr null
out:
  ret ptr blockaddress(@kept_as_result, %end)
}

define void @kept_table() {
entry:
  store ptr @stored, ptr @place
  %label = load ptr, ptr @stored
  indirectbr ptr %label, [label %end]
end:
  ret void
}

define i64 @kept_as_number() {
entry:
  %number = ptrtoint ptr blockaddress(@kept_as_number, %end) to i64
  indirectbr ptr blockaddress(@kept_as_number, %end), [label %end]
end:
  ret i64 %number
}

; Nothing is known of what it is given.
define void @kept_by_the_caller(ptr %label) {
entry:
  indirectbr ptr %label, [label %end]
end:
  ret void
}

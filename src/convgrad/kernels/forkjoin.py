"""The fork-join pool in LLVM's language: threads that wait inside compiled code.

A program is a row of steps (function, record, tasks); every step is a parallel loop over its
tasks, which all threads take from one counter. Which thread runs a task never changes a result.

The state word holds a generation, a bit that says "open", and how many workers are inside:

    open the step -> wake sleepers -> take tasks oneself -> close -> wait until nobody is inside

A worker enters only while the bit is set, so one that wakes late costs nothing: the caller has
done its tasks. Waiting is a short spin, then a semaphore.
"""

from __future__ import annotations

from convgrad.kernels.record import SCRATCH, SCRATCH_BYTES

STATE, NEXT, TASKS, FUNCTION, RECORD, ARGUMENTS, SLEEPERS, BUSY, STOP = (
    *(0, 8),
    *range(16, 20),
    *range(24, 27),
)
"""Places of the pool's 64-bit words; the state and the counter each have a cache line."""

POOL_WORDS = 32
OPEN = 1 << 20
INSIDE = OPEN - 1

SPINS = 2000
"""Rounds of waiting before a worker sleeps: about 50 us, the gap between two layers."""


def program(pause: str) -> str:
    """The functions `work` (a worker's life) and `run` (a caller's program).

    `run` takes the pool, the semaphore, the number of workers wished, the steps as triples of
    words, how many there are, and the arguments. It returns after the last step. With no workers,
    or where another caller has the pool, the steps run in the calling thread alone.

    `several` is a step's function that runs a task of several records, one after the other: its own
    record is how many there are, the function they share, and where they are.
    """
    rest = f"call void @{pause}()" if pause else ""
    declaration = f"declare void @{pause}()" if pause else ""
    return f"""
{declaration}
declare i32 @sem_wait(ptr)
declare i32 @sem_post(ptr)
declare i32 @sched_yield()

define internal void @take(ptr %pool, i64 %id) noinline {{
  %tasks.p = getelementptr i64, ptr %pool, i64 {TASKS}
  %tasks = load i64, ptr %tasks.p
  %fn.p = getelementptr i64, ptr %pool, i64 {FUNCTION}
  %fn = load ptr, ptr %fn.p
  %rec.p = getelementptr i64, ptr %pool, i64 {RECORD}
  %rec = load ptr, ptr %rec.p
  %arg.p = getelementptr i64, ptr %pool, i64 {ARGUMENTS}
  %arg = load ptr, ptr %arg.p
  %next.p = getelementptr i64, ptr %pool, i64 {NEXT}
  %base.p = getelementptr i64, ptr %arg, i64 {SCRATCH}
  %base = load i64, ptr %base.p
  %size.p = getelementptr i64, ptr %arg, i64 {SCRATCH_BYTES}
  %size = load i64, ptr %size.p
  %offset = mul i64 %size, %id
  %mine = add i64 %base, %offset
  %scratch = inttoptr i64 %mine to ptr
  br label %again
again:
  %task = atomicrmw add ptr %next.p, i64 1 monotonic
  %more = icmp slt i64 %task, %tasks
  br i1 %more, label %call, label %done
call:
  call void %fn(ptr %rec, ptr %arg, ptr %scratch, i64 %task)
  br label %again
done:
  ret void
}}

define void @work(ptr %pool, ptr %semaphore, i64 %id) {{
entry:
  %stop.p = getelementptr i64, ptr %pool, i64 {STOP}
  %sleepers.p = getelementptr i64, ptr %pool, i64 {SLEEPERS}
  br label %watch
watch:
  br label %spin
spin:
  %n = phi i64 [ 0, %watch ], [ %n1, %idle ]
  %state = load atomic i64, ptr %pool acquire, align 8
  %bit = and i64 %state, {OPEN}
  %open = icmp ne i64 %bit, 0
  %seen = and i64 %state, {~INSIDE}
  br i1 %open, label %enter, label %closed
closed:
  %stop = load atomic i64, ptr %stop.p acquire, align 8
  %stopped = icmp ne i64 %stop, 0
  br i1 %stopped, label %exit, label %idle
idle:
  {rest}
  %n1 = add i64 %n, 1
  %tired = icmp sgt i64 %n1, {SPINS}
  br i1 %tired, label %sleep, label %spin
sleep:
  %s0 = atomicrmw add ptr %sleepers.p, i64 1 seq_cst
  %state2 = load atomic i64, ptr %pool seq_cst, align 8
  %bit2 = and i64 %state2, {OPEN}
  %open2 = icmp ne i64 %bit2, 0
  %stop2 = load atomic i64, ptr %stop.p seq_cst, align 8
  %stopped2 = icmp ne i64 %stop2, 0
  %awake = or i1 %open2, %stopped2
  br i1 %awake, label %unsleep, label %wait
wait:
  %r = call i32 @sem_wait(ptr %semaphore)
  br label %watch
unsleep:
  %s1 = atomicrmw sub ptr %sleepers.p, i64 1 seq_cst
  br label %watch
enter:
  %in = add i64 %state, 1
  %x = cmpxchg ptr %pool, i64 %state, i64 %in acq_rel monotonic
  %ok = extractvalue {{ i64, i1 }} %x, 1
  br i1 %ok, label %inside, label %watch
inside:
  call void @take(ptr %pool, i64 %id)
  %out = atomicrmw sub ptr %pool, i64 1 release
  br label %linger
linger:
  ; no task is left in this step: wait until it closes before looking for another
  %l = load atomic i64, ptr %pool acquire, align 8
  %l.bits = and i64 %l, {~INSIDE}
  %same = icmp eq i64 %l.bits, %seen
  {rest}
  br i1 %same, label %linger, label %watch
exit:
  ret void
}}

define internal void @fork(ptr %pool, ptr %semaphore, ptr %fn, ptr %rec, ptr %arg, i64 %tasks) {{
entry:
  %fn.p = getelementptr i64, ptr %pool, i64 {FUNCTION}
  store ptr %fn, ptr %fn.p
  %rec.p = getelementptr i64, ptr %pool, i64 {RECORD}
  store ptr %rec, ptr %rec.p
  %arg.p = getelementptr i64, ptr %pool, i64 {ARGUMENTS}
  store ptr %arg, ptr %arg.p
  %tasks.p = getelementptr i64, ptr %pool, i64 {TASKS}
  store i64 %tasks, ptr %tasks.p
  %next.p = getelementptr i64, ptr %pool, i64 {NEXT}
  store atomic i64 0, ptr %next.p monotonic, align 8
  %sleepers.p = getelementptr i64, ptr %pool, i64 {SLEEPERS}
  %opened = atomicrmw add ptr %pool, i64 {OPEN} seq_cst
  %asleep = atomicrmw xchg ptr %sleepers.p, i64 0 seq_cst
  br label %wake
wake:
  %left = phi i64 [ %asleep, %entry ], [ %left1, %post ]
  %any = icmp sgt i64 %left, 0
  br i1 %any, label %post, label %mine
post:
  %r = call i32 @sem_post(ptr %semaphore)
  %left1 = sub i64 %left, 1
  br label %wake
mine:
  call void @take(ptr %pool, i64 0)
  ; adding the bit once more clears it and carries into the generation
  %closing = atomicrmw add ptr %pool, i64 {OPEN} acq_rel
  br label %join
join:
  %n = phi i64 [ 0, %mine ], [ %n1, %busy ], [ 0, %give ]
  %state = load atomic i64, ptr %pool acquire, align 8
  %inside = and i64 %state, {INSIDE}
  %alone = icmp eq i64 %inside, 0
  br i1 %alone, label %done, label %busy
busy:
  {rest}
  %n1 = add i64 %n, 1
  %long = icmp sgt i64 %n1, {SPINS}
  br i1 %long, label %give, label %join
give:
  %y = call i32 @sched_yield()
  br label %join
done:
  ret void
}}

define void @several(ptr %record, ptr %arg, ptr %scratch, i64 %task) {{
entry:
  %count = load i64, ptr %record
  %fn.p = getelementptr i64, ptr %record, i64 1
  %fn = load ptr, ptr %fn.p
  %first.p = getelementptr i64, ptr %record, i64 2
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %call ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %call, label %done
call:
  %rec.p = getelementptr i64, ptr %first.p, i64 %i
  %rec = load ptr, ptr %rec.p
  call void %fn(ptr %rec, ptr %arg, ptr %scratch, i64 %task)
  %i1 = add i64 %i, 1
  br label %next
done:
  ret void
}}

define internal void @alone(ptr %fn, ptr %rec, ptr %arg, i64 %tasks) {{
entry:
  %base.p = getelementptr i64, ptr %arg, i64 {SCRATCH}
  %base = load i64, ptr %base.p
  %scratch = inttoptr i64 %base to ptr
  br label %next
next:
  %task = phi i64 [ 0, %entry ], [ %task1, %call ]
  %more = icmp slt i64 %task, %tasks
  br i1 %more, label %call, label %done
call:
  call void %fn(ptr %rec, ptr %arg, ptr %scratch, i64 %task)
  %task1 = add i64 %task, 1
  br label %next
done:
  ret void
}}

define void @run(ptr %pool, ptr %semaphore, i64 %workers, ptr %steps, i64 %count, ptr %arg) {{
entry:
  %busy.p = getelementptr i64, ptr %pool, i64 {BUSY}
  %wanted = icmp sgt i64 %workers, 0
  br i1 %wanted, label %claim, label %steps.begin
claim:
  %x = cmpxchg ptr %busy.p, i64 0, i64 1 acq_rel monotonic
  %got = extractvalue {{ i64, i1 }} %x, 1
  br label %steps.begin
steps.begin:
  %team = phi i1 [ false, %entry ], [ %got, %claim ]
  br label %next
next:
  %i = phi i64 [ 0, %steps.begin ], [ %i1, %stepped ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %call, label %finish
call:
  %o = mul i64 %i, 3
  %fn.p = getelementptr i64, ptr %steps, i64 %o
  %fn = load ptr, ptr %fn.p
  %rec.p = getelementptr i64, ptr %fn.p, i64 1
  %rec = load ptr, ptr %rec.p
  %tasks.p = getelementptr i64, ptr %fn.p, i64 2
  %tasks = load i64, ptr %tasks.p
  %several = icmp sgt i64 %tasks, 1
  %shared = and i1 %several, %team
  br i1 %shared, label %together, label %single
together:
  call void @fork(ptr %pool, ptr %semaphore, ptr %fn, ptr %rec, ptr %arg, i64 %tasks)
  br label %stepped
single:
  call void @alone(ptr %fn, ptr %rec, ptr %arg, i64 %tasks)
  br label %stepped
stepped:
  %i1 = add i64 %i, 1
  br label %next
finish:
  br i1 %team, label %release, label %leave
release:
  store atomic i64 0, ptr %busy.p release, align 8
  br label %leave
leave:
  ret void
}}
"""

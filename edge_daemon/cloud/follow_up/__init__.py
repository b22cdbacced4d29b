"""What is done with frames after they were kept: in threads of its own, and no ack waits for it.

1. A job leaves one line in the journal of its task, also when it failed for good. The log says what
   is to be done with a frame and the journals what was; the rest is found again at the next start.
   What was kept before a task was configured is left in peace.
2. The queue of a task is bounded. What finds it full is left out and logged; it is still owed, so
   the next start finds it as well.
3. At a stop the job in work gets a moment, and is owed if it needs more.
"""

from edge_daemon.cloud.follow_up.follow_ups import FollowUps
from edge_daemon.cloud.follow_up.tasks import tasks_of

__all__ = ["FollowUps", "tasks_of"]

"""Jobs: what is to be painted, one after the other, on the one thread that runs TensorFlow; see `manager`."""

from nst.jobs.job import MAX_POINTS, Order, Proof, Snapshot, State, thinned
from nst.jobs.manager import MAX_REMEMBERED, MORE, JobManager, settings_now

__all__ = [
    "MAX_POINTS",
    "MAX_REMEMBERED",
    "MORE",
    "JobManager",
    "Order",
    "Proof",
    "Snapshot",
    "State",
    "settings_now",
    "thinned",
]

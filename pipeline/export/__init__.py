"""What an output holds, written as a training job reads it: tokens or lines, shuffled, mixed, in shards."""

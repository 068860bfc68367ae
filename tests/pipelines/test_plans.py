"""Names of the nodes in Spark's physical plans."""

from pipelines.spark.plans import nodes

SCANNED = """MapInArrow task(user_id#1, samples#2)
+- *(1) Project [user_id#1, samples#2]
   +- BatchScan muvr.ks.labelled_sets[user_id#1, samples#2] Cassandra Scan
 - Cassandra Filters: []
 - Requested Columns: [Sort,Exchange]"""
SHUFFLED = """AdaptiveSparkPlan isFinalPlan=false
+- SortMergeJoin [user_id#1], [user_id#9], Inner
   :- Sort [user_id#1 ASC NULLS FIRST], false, 0
   :  +- Exchange hashpartitioning(user_id#1, 2), ENSURE_REQUIREMENTS
   :     +- BatchScan muvr.ks.labelled_sets
   +- *(2) Sort [user_id#9 ASC NULLS FIRST], false, 0"""


def test_nodes_of_a_physical_plan():
    assert nodes(SCANNED) == {"MapInArrow", "Project", "BatchScan"}
    assert {"Sort", "Exchange", "SortMergeJoin", "BatchScan"} <= nodes(SHUFFLED)


def test_column_named_like_a_node_is_not_a_node():
    assert "Exchange" not in nodes("*(1) Project [Exchange#1, Sort#2]\n+- Scan ExistingRDD[Sort#2]")

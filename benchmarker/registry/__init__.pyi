# The names that other packages use, and where each is defined; `__init__.py` reads them at run time.

from .checks import CellProblem as CellProblem
from .checks import canonical as canonical
from .checks import check_registry as check_registry
from .checks import weights_problem as weights_problem
from .effective import effective_registry as effective_registry
from .loading import LoadedRegistry as LoadedRegistry
from .loading import find_registry as find_registry
from .loading import load_registry as load_registry
from .loading import shipped_names as shipped_names
from .models import ArmEntry as ArmEntry
from .models import AugmentationEntry as AugmentationEntry
from .models import DatasetEntry as DatasetEntry
from .models import GeneratedEntry as GeneratedEntry
from .models import GeneratorEntry as GeneratorEntry
from .models import ModelEntry as ModelEntry
from .models import Registry as Registry
from .models import UntilDecided as UntilDecided
from .options import merged_preparation as merged_preparation
from .options import plain_options as plain_options
from .options import validated_options as validated_options
from .overrides import OPTION_NAMES as OPTION_NAMES
from .overrides import Overrides as Overrides
from .schema import registry_schema as registry_schema
